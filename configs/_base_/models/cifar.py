"""Image networks of the CIFAR-100 distillation tables; all read ``image``. Parameters are with 100 classes."""

from kdbench.backbones import (
    VGG,
    MobileNetV1,
    MobileNetV2,
    ResNet,
    ShuffleNetV1,
    ShuffleNetV2,
    WideResNet,
)

resnet8 = dict(type=ResNet, blocks=(1, 1, 1))  # 84 k
resnet14 = dict(type=ResNet, blocks=(2, 2, 2))  # 181 k
resnet20 = dict(type=ResNet, blocks=(3, 3, 3))  # 278 k
resnet32 = dict(type=ResNet, blocks=(5, 5, 5))  # 473 k
resnet44 = dict(type=ResNet, blocks=(7, 7, 7))  # 667 k
resnet56 = dict(type=ResNet, blocks=(9, 9, 9))  # 862 k
resnet110 = dict(type=ResNet, blocks=(18, 18, 18))  # 1.7 M
resnet8x4 = dict(type=ResNet, blocks=(1, 1, 1), widths=(64, 128, 256), stem=32)  # 1.2 M
resnet32x4 = dict(type=ResNet, blocks=(5, 5, 5), widths=(64, 128, 256), stem=32)  # 7.4 M
resnet50 = dict(
    type=ResNet, blocks=(3, 4, 6, 3), widths=(64, 128, 256, 512), stem=64, bottleneck=True
)  # 23.7 M

wrn_16_1 = dict(type=WideResNet, depth=16, widen=1)  # 181 k
wrn_16_2 = dict(type=WideResNet, depth=16, widen=2)  # 703 k
wrn_40_1 = dict(type=WideResNet, depth=40, widen=1)  # 570 k
wrn_40_2 = dict(type=WideResNet, depth=40, widen=2)  # 2.3 M

vgg8 = dict(type=VGG, convs=(1, 1, 1, 1, 1))  # 4.0 M
vgg11 = dict(type=VGG, convs=(1, 1, 2, 2, 2))  # 9.3 M
vgg13 = dict(type=VGG, convs=(2, 2, 2, 2, 2))  # 9.5 M
vgg16 = dict(type=VGG, convs=(2, 2, 3, 3, 3))  # 14.8 M
vgg19 = dict(type=VGG, convs=(2, 2, 4, 4, 4))  # 20.1 M

# With these as students the tables start from a learning rate of 0.01: the schedule sgd_240e_light
mobilenet_v2 = dict(type=MobileNetV2, width=0.5, expansion=6)  # 813 k
shuffle_v1 = dict(type=ShuffleNetV1)  # 949 k
shuffle_v2 = dict(type=ShuffleNetV2)  # 1.4 M

# What the ImageNet tables print as MobileNetV2
mobilenet_v1 = dict(type=MobileNetV1)  # 3.3 M
