"""The fields of the messages in binary files of Caffe, by the numbers of its caffe.proto.

A field is written as its name and its kind: `i` a whole number, `f` a number, `s` a text, `-` a
value that says nothing about the network, or the name of another message.
"""

from __future__ import annotations

Fields = dict[int, str]


def _fields(text: str) -> Fields:
    """Return fields written as `number name kind`, separated by commas."""
    entries = (entry.split() for entry in text.split(","))
    return {int(number): f"{name} {kind}" for number, name, kind in entries}


BLOBS = "blobs"
"""The field of a layer's numbers, which are read apart."""

MESSAGES: dict[str, Fields] = {
    "net": _fields(
        "1 name s, 2 layers old_layer, 3 input s, 4 input_dim i, 6 state state,"
        " 8 input_shape shape, 100 layer layer"
    ),
    "state": _fields("1 phase i, 2 level i, 3 stage s"),
    "rule": _fields("1 phase i, 2 min_level i, 3 max_level i, 4 stage s, 5 not_stage s"),
    "shape": _fields("1 dim i"),
    "spec": _fields("1 name s, 2 share_mode i, 3 lr_mult f, 4 decay_mult f"),
    "layer": _fields(
        "1 name s, 2 type s, 3 bottom s, 4 top s, 5 loss_weight f, 6 param spec, 7 blobs -,"
        " 8 include rule, 9 exclude rule, 10 phase i, 11 propagate_down i, 95 device -,"
        " 96 buffer -, 100 transform_param data, 101 loss_param -, 102 accuracy_param -,"
        " 103 argmax_param -, 104 concat_param concat, 105 contrastive_loss_param -,"
        " 106 convolution_param convolution, 107 data_param records, 108 dropout_param dropout,"
        " 109 dummy_data_param dummy, 110 eltwise_param eltwise, 111 exp_param linear,"
        " 112 hdf5_data_param -, 113 hdf5_output_param -, 114 hinge_loss_param -,"
        " 115 image_data_param images, 116 infogain_loss_param -,"
        " 117 inner_product_param product, 118 lrn_param lrn, 119 memory_data_param memory,"
        " 120 mvn_param mvn, 121 pooling_param pooling, 122 power_param power,"
        " 123 relu_param relu, 124 sigmoid_param engine, 125 softmax_param softmax,"
        " 126 slice_param slice, 127 tanh_param engine, 128 threshold_param threshold,"
        " 129 window_data_param records, 130 python_param python, 131 prelu_param prelu,"
        " 132 spp_param -, 133 reshape_param reshape, 134 log_param linear,"
        " 135 flatten_param flatten, 136 reduction_param reduction, 137 embed_param -,"
        " 138 tile_param tile, 139 batch_norm_param batch_norm, 140 elu_param elu,"
        " 141 bias_param bias, 142 scale_param scale, 143 input_param shapes,"
        " 144 crop_param crop, 145 parameter_param shapes"
    ),
    "old_layer": _fields(
        "1 layer oldest_layer, 2 bottom s, 3 top s, 4 name s, 5 type i, 6 blobs -, 7 blobs_lr f,"
        " 8 weight_decay f, 9 concat_param concat, 10 convolution_param convolution,"
        " 11 data_param records, 12 dropout_param dropout, 13 hdf5_data_param -,"
        " 14 hdf5_output_param -, 15 image_data_param images, 16 infogain_loss_param -,"
        " 17 inner_product_param product, 18 lrn_param lrn, 19 pooling_param pooling,"
        " 20 window_data_param records, 21 power_param power, 22 memory_data_param memory,"
        " 23 argmax_param -, 24 eltwise_param eltwise, 25 threshold_param threshold,"
        " 26 dummy_data_param dummy, 27 accuracy_param -, 29 hinge_loss_param -,"
        " 30 relu_param relu, 31 slice_param slice, 32 include rule, 33 exclude rule,"
        " 34 mvn_param mvn, 35 loss_weight f, 36 transform_param data, 37 tanh_param engine,"
        " 38 sigmoid_param engine, 39 softmax_param softmax, 40 contrastive_loss_param -,"
        " 41 exp_param linear, 42 loss_param -, 1001 param s, 1002 blob_share_mode i"
    ),
    "oldest_layer": _fields("1 name s, 50 blobs -"),
    "concat": _fields("1 concat_dim i, 2 axis i"),
    "convolution": _fields(
        "1 num_output i, 2 bias_term i, 3 pad i, 4 kernel_size i, 5 group i, 6 stride i,"
        " 7 weight_filler -, 8 bias_filler -, 9 pad_h i, 10 pad_w i, 11 kernel_h i,"
        " 12 kernel_w i, 13 stride_h i, 14 stride_w i, 15 engine i, 16 axis i,"
        " 17 force_nd_im2col i, 18 dilation i"
    ),
    "dropout": _fields("1 dropout_ratio f, 2 scale_train i"),
    "eltwise": _fields("1 operation i, 2 coeff f, 3 stable_prod_grad i"),
    "linear": _fields("1 base f, 2 scale f, 3 shift f"),
    "product": _fields(
        "1 num_output i, 2 bias_term i, 3 weight_filler -, 4 bias_filler -, 5 axis i,"
        " 6 transpose i"
    ),
    "lrn": _fields(
        "1 local_size i, 2 alpha f, 3 beta f, 4 norm_region i, 5 k f, 6 engine i"
    ),
    "mvn": _fields("1 normalize_variance i, 2 across_channels i, 3 eps f"),
    "pooling": _fields(
        "1 pool i, 2 kernel_size i, 3 stride i, 4 pad i, 5 kernel_h i, 6 kernel_w i,"
        " 7 stride_h i, 8 stride_w i, 9 pad_h i, 10 pad_w i, 11 engine i, 12 global_pooling i,"
        " 13 round_mode i"
    ),
    "power": _fields("1 power f, 2 scale f, 3 shift f"),
    "relu": _fields("1 negative_slope f, 2 engine i"),
    "engine": _fields("1 engine i"),
    "softmax": _fields("1 engine i, 2 axis i"),
    "slice": _fields("1 slice_dim i, 2 slice_point i, 3 axis i"),
    "threshold": _fields("1 threshold f"),
    "python": _fields("1 module s, 2 layer s, 3 param_str s, 4 share_in_parallel i"),
    "prelu": _fields("1 filler -, 2 channel_shared i"),
    "reshape": _fields("1 shape shape, 2 axis i, 3 num_axes i"),
    "flatten": _fields("1 axis i, 2 end_axis i"),
    "reduction": _fields("1 operation i, 2 axis i, 3 coeff f"),
    "tile": _fields("1 axis i, 2 tiles i"),
    "batch_norm": _fields("1 use_global_stats i, 2 moving_average_fraction f, 3 eps f"),
    "elu": _fields("1 alpha f"),
    "bias": _fields("1 axis i, 2 num_axes i, 3 filler -"),
    "scale": _fields("1 axis i, 2 num_axes i, 3 filler -, 4 bias_term i, 5 bias_filler -"),
    "crop": _fields("1 axis i, 2 offset i"),
    "shapes": _fields("1 shape shape"),
    "dummy": _fields(
        "1 data_filler -, 2 num i, 3 channels i, 4 height i, 5 width i, 6 shape shape"
    ),
    "memory": _fields("1 batch_size i, 2 channels i, 3 height i, 4 width i"),
    "data": _fields("3 crop_size i, 7 force_gray i, 8 resize_param resize"),
    "resize": _fields("3 height i, 4 width i"),
    "records": _fields("5 crop_size i"),
    "images": _fields("5 crop_size i, 9 new_height i, 10 new_width i, 11 is_color i"),
    "swish": _fields("1 beta f"),
    "clip": _fields("1 min f, 2 max f"),
    "normalize": _fields("1 across_spatial i, 2 scale_filler -, 3 channel_shared i, 4 eps f"),
    "permute": _fields("1 order i"),
}  # fmt: skip
OF_DATA = {"net", "oldest_layer", "data", "resize", "records", "images", "memory"}
"""Messages whose other fields say nothing about the network."""

EXTENSIONS = {
    ("swish", 147): "swish_param swish", ("clip", 148): "clip_param clip",
    ("normalize", 206): "norm_param normalize", ("permute", 202): "permute_param permute",
}  # fmt: skip
"""Fields of layers by the layer's kind, as forks use the same numbers for others: those of Caffe's
last version and of SSD."""

OLD_TYPES = {
    0: "NONE", 1: "ACCURACY", 2: "BNLL", 3: "CONCAT", 4: "CONVOLUTION", 5: "DATA", 6: "DROPOUT",
    7: "EUCLIDEAN_LOSS", 8: "FLATTEN", 9: "HDF5_DATA", 10: "HDF5_OUTPUT", 11: "IM2COL",
    12: "IMAGE_DATA", 13: "INFOGAIN_LOSS", 14: "INNER_PRODUCT", 15: "LRN", 16:
    "MULTINOMIAL_LOGISTIC_LOSS", 17: "POOLING", 18: "RELU", 19: "SIGMOID", 20: "SOFTMAX",
    21: "SOFTMAX_LOSS", 22: "SPLIT", 23: "TANH", 24: "WINDOW_DATA", 25: "ELTWISE", 26: "POWER",
    27: "SIGMOID_CROSS_ENTROPY_LOSS", 28: "HINGE_LOSS", 29: "MEMORY_DATA", 30: "ARGMAX",
    31: "THRESHOLD", 32: "DUMMY_DATA", 33: "SLICE", 34: "MVN", 35: "ABSVAL", 36: "SILENCE",
    37: "CONTRASTIVE_LOSS", 38: "EXP", 39: "DECONVOLUTION",
}  # fmt: skip
"""The types of layers of the first generation by their numbers."""
