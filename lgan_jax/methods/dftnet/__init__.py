"""DFT-Net: editing expressions by action units, with a flow and a texture decoder; and GANimation, its baseline."""
