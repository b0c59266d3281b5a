#!/usr/bin/env bash
# Eight losses of the foreground head on thin lanes and on leaves, some seeds each: docs/compare_losses.md
#
#   EMBEDSEG_DATA=DIR scripts/compare_losses.sh [OUT [SEEDS [roads|leaves]]]
#
# DIR/cvppp/A1 holds the CVPPP A1 plants with the lists of train and val (leaves alone need it).
# About a minute of one core for each of the 16 runs of a seed. Call it again to go on: what is
# finished stays, and more seeds are added to it.
set -euo pipefail
OUT=${1:-compare_losses}
SEEDS=${2:-0,1}
DATA=${3:-roads leaves}
A1=${EMBEDSEG_DATA:-../shared/data}/cvppp/A1
export OMP_NUM_THREADS=1 MKL_NUM_THREADS=1 NUMBA_NUM_THREADS=1

LOSSES="cross_entropy, bounded_cross_entropy, focal, dice, cross_entropy + dice, focal_tversky"
LOSSES="$LOSSES, cross_entropy + lovasz_hinge, generalised_dice + 0.1 boundary"

COMMON=(
    --vary "loss=$LOSSES" --seeds "$SEEDS" --metric FgBgDice
    --device cpu --threads 1 --clock cpu --amp bf16 --batch 4 --min_size 20
    --network.backbone unet
    --network.options '{width: 12, depth: 4, max_width: 64, stem_stride: 2}'
    --optimizer.learning_rate 3e-3 --optimizer.warmup_steps 20 --optimizer.ema 0.98
    --augment.random_crop false
)

roads() { # 120 pictures of up to six lines 3 px wide, about 4% of the pixels; 30 others to validate
    embedseg compare --out "$OUT/roads" --steps 700 "${COMMON[@]}" \
        --data.train "roads:120,seed=5,size=256x128,width=3" \
        --data.val "roads:30,seed=6,size=256x128,width=3" \
        --data.working_size '[128, 256]' --augment.size '[128, 256]' --augment.fit true \
        --augment.scale '[0.9, 1.2]' --augment.rotation 3 --augment.translation 0.04 \
        --augment.flip_vertical 0 --augment.min_pixels 10 --network.embedding_dim 4
}

leaves() { # 82 plants to train on, 20 to validate
    embedseg compare --out "$OUT/leaves" --steps 600 "${COMMON[@]}" \
        --data.train "cvppp:$A1#train" --data.val "cvppp:$A1#val" \
        --data.working_size 160 --augment.size 160 --augment.rotation 180 \
        --augment.scale '[0.8, 1.25]' --augment.translation 0.06 --network.embedding_dim 8
}

for name in $DATA; do "$name"; done
