"""What the networks over one dilated ResNet share: features at 1/8, a head, a second on stage 3."""

from torch import nn

from embedseg.models.backbone import Backbone, Decoder
from embedseg.models.blocks import Layers
from embedseg.models.heads import SideHeads, auxiliary_head, enlarged_head
from embedseg.models.resnet import ResNet


class DilatedNet(Backbone):
    """An encoder at 1/8; a subclass makes `outputs` maps of its last stage.

    With deep supervision `forward` returns the maps of stage 3 after them, for a second head of
    `side_width` maps.
    """

    stride = 8
    divisor = 8
    default_decoder: Decoder = "learned"
    side_bias = True

    def __init__(
        self,
        in_channels: int,
        encoder: ResNet,
        outputs: int,
        layers: Layers,
        *,
        deep_supervision: bool,
    ) -> None:
        super().__init__()
        self.layers, self.deep_supervision = layers, deep_supervision
        self.in_channels, self.out_channels = in_channels, outputs
        self.side = encoder.channels[2]
        self.side_width = outputs
        self.encoder = encoder

    def make_head(self, channels: int) -> nn.Module:
        """Return the 1x1 convolution enlarged x8, with deep supervision beside a second one."""
        main = enlarged_head(self.out_channels, channels, 8, self.layers, bias=True)
        if not self.deep_supervision:
            return main
        side = auxiliary_head(
            self.side, self.side_width, channels, 8, self.layers, bias=self.side_bias
        )
        return SideHeads([main, side], average=False)
