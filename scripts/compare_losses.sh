#!/usr/bin/env bash
# Eight losses of the foreground head on thin lanes and on leaves: docs/compare_losses.md.
#
#   EMBEDSEG_DATA=DIR scripts/compare_losses.sh [OUT [SEEDS [roads|leaves|scratch]]]
#
# DIR/cvppp/A1 holds the CVPPP A1 plants with the lists of train and val (`leaves` alone needs it).
# Each run takes about a minute of one core; there are 8 for each data set and seed. Call it again to
# go on: what is finished stays, more seeds are added to it.
set -euo pipefail
OUT=${1:-compare_losses}
SEEDS=${2:-0,1}
DATA=${3:-roads leaves}
case $DATA in *leaves*) : "${EMBEDSEG_DATA:?name the folder that holds cvppp/A1}" ;; esac
A1=${EMBEDSEG_DATA:-}/cvppp/A1
PYTHON=${PYTHON:-python}
export OMP_NUM_THREADS=1 MKL_NUM_THREADS=1 NUMBA_NUM_THREADS=1

EIGHT="cross_entropy, bounded_cross_entropy, focal, dice, cross_entropy + dice, focal_tversky"
EIGHT="$EIGHT, cross_entropy + lovasz_hinge, generalised_dice + 0.1 boundary"
LOSSES=${LOSSES:-$EIGHT} # or others, beside those in OUT: LOSSES="2 dice, tversky"

compare() { # NAME OPTION...
    local name=$1
    shift
    "$PYTHON" -m embedseg.cli compare --out "$OUT/$name" --vary "loss=$LOSSES" --seeds "$SEEDS" \
        --metric FgBgDice --device cpu --threads 1 --clock cpu --amp bf16 --batch 4 "$@"
}

small_unet=(
    --network.backbone unet
    --network.options '{width: 12, depth: 4, max_width: 64, stem_stride: 2}'
    --optimizer.learning_rate 3e-3 --optimizer.warmup_steps 20 --optimizer.ema 0.98
    --augment.random_crop false --min_size 20
)

roads() { # the shipped network of lanes goes on with each loss; crops of 120 roads, 12 others
    compare roads --steps 50 --config lanes --network.init lanes \
        --data.train "roads:120,seed=5,size=512x256,width=5" \
        --data.val "roads:12,seed=6,size=512x256,width=5" \
        --augment.size '[128, 256]' --augment.fit false --augment.random_crop true \
        --optimizer.learning_rate 1e-3 --optimizer.warmup_steps 10 --optimizer.ema 0.95
}

leaves() { # a small U-Net from nothing; 82 plants to train on, 20 to validate
    compare leaves --steps 600 "${small_unet[@]}" \
        --data.train "cvppp:$A1#train" --data.val "cvppp:$A1#val" \
        --data.working_size 160 --augment.size 160 --augment.rotation 180 \
        --augment.scale '[0.8, 1.25]' --augment.translation 0.06 --network.embedding_dim 8
}

scratch() { # the small U-Net from nothing on roads of half the size: too little for any loss
    compare scratch --steps 700 "${small_unet[@]}" \
        --data.train "roads:120,seed=5,size=256x128,width=3" \
        --data.val "roads:30,seed=6,size=256x128,width=3" \
        --data.working_size '[128, 256]' --augment.size '[128, 256]' --augment.fit true \
        --augment.scale '[0.9, 1.2]' --augment.rotation 3 --augment.translation 0.04 \
        --augment.flip_vertical 0 --augment.min_pixels 10 --network.embedding_dim 4
}

for name in $DATA; do "$name"; done
