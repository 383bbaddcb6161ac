"""Small files of the text formats, written for these tests, that cover each format's features."""

from __future__ import annotations

DARKNET = """\
[net]
height=32
width=32
channels=3   ; learning rates and the like are of no interest
momentum=0.9

[convolutional]
batch_normalize=1
filters=8
size=3
stride=1
pad=1
activation=leaky

[maxpool]
size=2
stride=2

[convolutional]
filters = 8
size=3
groups=2
pad=1
activation=mish

[shortcut]
from=-2
activation=linear

[route]
layers=-1,1

[convolutional]
filters=18
size=1
activation=linear

[yolo]
mask=0,1,2
classes=1

[route]
layers=-3

[upsample]
stride=2

[avgpool]

[connected]
output=10
activation=linear

[softmax]
"""

CAFFE = """\
name: "small"  # a comment
input: "data"
input_shape { dim: 10 dim: 3 dim: 32 dim: 32 }
layer {
  name: "stem" type: "Convolution" bottom: "data" top: "stem"
  param { lr_mult: 1 } param { lr_mult: 2 }
  convolution_param { num_output: 8 kernel_size: 3 pad: 1 stride: 2 bias_term: false }
}
layer { name: "stem/bn" type: "BatchNorm" bottom: "stem" top: "stem" }
layer { name: "stem/scale" type: "Scale" bottom: "stem" top: "stem"
        scale_param { bias_term: true } }
layer { name: "stem/relu" type: "ReLU" bottom: "stem" top: "stem" }
layer { name: "pool" type: "Pooling" bottom: "stem" top: "pool"
        pooling_param < pool: MAX kernel_size: 3 stride: 2 > }
layer { name: "halves" type: "Slice" bottom: "pool" top: "a" top: "b" }
layer { name: "wide" type: "Convolution" bottom: "b" top: "wide"
        convolution_param { num_output: 4 kernel_h: 1 kernel_w: 3 pad_w: 1 group: 2 } }
layer { name: "sum" type: "Eltwise" bottom: "a" bottom: "wide" top: "sum" }
layer { name: "joined" type: "Concat" bottom: "sum" bottom: "b" top: "joined" }
layer { name: "norm" type: "LRN" bottom: "joined" top: "norm" lrn_param { local_size: 3 } }
layer { name: "up" type: "Deconvolution" bottom: "norm" top: "up"
        convolution_param { num_output: 6 kernel_size: 2 stride: 2 } }
layer { name: "drop" type: "Dropout" bottom: "up" top: "up" }
layer { name: "fc" type: "InnerProduct" bottom: "up" top: "fc"
        inner_product_param { num_output: 10 } }
layer { name: "accuracy" type: "Accuracy" bottom: "fc" bottom: "fc" include: { phase: TEST } }
layer { name: "prob" type: "Softmax" bottom: "fc" top: "prob" }
"""

NCNN = """\
7767517
11 13
Input            data     0 1 data 0=32 1=32 2=3
Convolution      conv1    1 1 data conv1 0=8 1=3 3=2 4=1 5=1 6=216 9=1
Pooling          pool1    1 1 conv1 pool1 1=3 2=2
Split            split_0  1 2 pool1 pool1_0 pool1_1
ConvolutionDepthWise dw   1 1 pool1_0 dw 0=8 1=3 4=1 5=1 6=72 7=8 9=2 -23310=1,1.000000e-01
BinaryOp         add      2 1 dw pool1_1 add 0=0
ShuffleChannel   shuffle  1 1 add shuffle 0=2
Slice            slice    1 2 shuffle slice_0 slice_1 -23300=2,-233,-233
Concat           concat   2 1 slice_1 slice_0 concat
Pooling          pool2    1 1 concat pool2 0=1 4=1
InnerProduct     fc       1 1 pool2 fc 0=10 1=1 2=80
"""

YOLO = """\
nc: 4
depth_multiple: 1.0
width_multiple: 0.5
anchors: 3
backbone:
  - [-1, 1, Conv, [16, 3, 2]]  # 0
  - [-1, 1, Conv, [32, 3, 2, None, 1, nn.LeakyReLU(0.1)]]
  - [-1, 3, C3, [32]]
  - [-1, 1, SPPF, [64, 5]]
head:
  - [-1, 1, nn.Upsample, [None, 2, nearest]]
  - [[-1, 0], 1, Concat, [1]]
  - [-1, 1, C3, [32, False]]
  - [[6, 3], 1, Detect, [nc, anchors]]
"""

KERAS = """\
{"class_name": "Functional", "keras_version": "3.5.0", "config": {"name": "small", "layers": [
{"class_name": "InputLayer", "name": "image",
 "config": {"name": "image", "batch_shape": [null, 32, 32, 3]}, "inbound_nodes": []},
{"class_name": "ZeroPadding2D", "name": "pad", "config": {"padding": [[1, 1], [1, 1]]},
 "inbound_nodes": [[["image", 0, 0, {}]]]},
{"class_name": "Conv2D", "name": "stem", "config": {"filters": 8, "kernel_size": [3, 3],
 "strides": [2, 2], "padding": "valid", "use_bias": false}, "inbound_nodes": [[["pad", 0, 0, {}]]]},
{"class_name": "BatchNormalization", "name": "norm", "config": {"axis": -1},
 "inbound_nodes": [[["stem", 0, 0, {}]]]},
{"class_name": "ReLU", "name": "relu", "config": {"max_value": 6.0},
 "inbound_nodes": [[["norm", 0, 0, {}]]]},
{"class_name": "DepthwiseConv2D", "name": "deep", "config": {"kernel_size": [3, 3],
 "padding": "same", "activation": "relu"}, "inbound_nodes": [[["relu", 0, 0, {}]]]},
{"class_name": "Add", "name": "add", "config": {},
 "inbound_nodes": [[["deep", 0, 0, {}], ["relu", 0, 0, {}]]]},
{"class_name": "MaxPooling2D", "name": "pool", "config": {"pool_size": [2, 2]},
 "inbound_nodes": [[["add", 0, 0, {}]]]},
{"class_name": "GlobalAveragePooling2D", "name": "mean", "config": {},
 "inbound_nodes": [[["pool", 0, 0, {}]]]},
{"class_name": "Dense", "name": "top", "config": {"units": 10, "activation": "softmax"},
 "inbound_nodes": [[["mean", 0, 0, {}]]]}],
"input_layers": [["image", 0, 0]], "output_layers": [["top", 0, 0]]}}
"""

FILES = {"darknet": ("net.cfg", DARKNET), "caffe": ("net.prototxt", CAFFE),
         "ncnn": ("net.param", NCNN), "ultralytics": ("net.yaml", YOLO),
         "keras": ("net.json", KERAS)}  # fmt: skip
"""A name and a text for each format of text files, by its folder."""
