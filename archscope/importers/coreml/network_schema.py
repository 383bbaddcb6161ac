"""The fields of a neural network and its layers, by the numbers of Core ML's public schema.

A layer's message has the name of the layer. `messages.py` explains how fields are written.
"""

from __future__ import annotations

from archscope.importers.coreml.messages import fields

LAYERS = fields(
    "100 convolution, 120 pooling, 130 activation, 140 innerProduct, 150 embedding, 160 "
    "batchnorm, 165 mvn, 170 l2normalize, 175 softmax, 180 lrn, 190 crop, 200 padding, 210 "
    "upsample, 211 resizeBilinear, 212 cropResize, 220 unary, 230 add, 231 multiply, 240 "
    "average, 245 scale, 250 bias, 260 max, 261 min, 270 dot, 280 reduce, 290 loadConstant, "
    "300 reshape, 301 flatten, 310 permute, 320 concat, 330 split, 340 sequenceRepeat, 345 "
    "reorganizeData, 350 slice, 400 simpleRecurrent, 410 gru, 420 uniDirectionalLSTM, 430 "
    "biDirectionalLSTM, 500 custom, 600 copy, 605 branch, 615 loop, 620 loopBreak, 625 "
    "loopContinue, 635 rangeStatic, 640 rangeDynamic, 660 clip, 665 ceil, 670 floor, 680 "
    "sign, 685 round, 700 exp2, 710 sin, 715 cos, 720 tan, 730 asin, 735 acos, 740 atan, 750 "
    "sinh, 755 cosh, 760 tanh, 770 asinh, 775 acosh, 780 atanh, 790 erf, 795 gelu, 815 equal, "
    "820 notEqual, 825 lessThan, 827 lessEqual, 830 greaterThan, 832 greaterEqual, 840 "
    "logicalOr, 845 logicalXor, 850 logicalNot, 855 logicalAnd, 865 modBroadcastable, 870 "
    "minBroadcastable, 875 maxBroadcastable, 880 addBroadcastable, 885 powBroadcastable, 890 "
    "divideBroadcastable, 895 floorDivBroadcastable, 900 multiplyBroadcastable, 905 "
    "subtractBroadcastable, 920 tile, 925 stack, 930 gather, 935 scatter, 940 gatherND, 945 "
    "scatterND, 950 softmaxND, 952 gatherAlongAxis, 954 scatterAlongAxis, 960 reverse, 965 "
    "reverseSeq, 975 splitND, 980 concatND, 985 transpose, 995 sliceStatic, 1000 "
    "sliceDynamic, 1005 slidingWindows, 1015 topK, 1020 argMin, 1025 argMax, 1040 "
    "embeddingND, 1045 batchedMatmul, 1065 getShape, 1070 loadConstantND, 1080 fillLike, 1085 "
    "fillStatic, 1090 fillDynamic, 1100 broadcastToLike, 1105 broadcastToStatic, 1110 "
    "broadcastToDynamic, 1120 squeeze, 1125 expandDims, 1130 flattenTo2D, 1135 reshapeLike, "
    "1140 reshapeStatic, 1145 reshapeDynamic, 1150 rankPreservingReshape, 1155 constantPad, "
    "1170 randomNormalLike, 1175 randomNormalStatic, 1180 randomNormalDynamic, 1190 "
    "randomUniformLike, 1195 randomUniformStatic, 1200 randomUniformDynamic, 1210 "
    "randomBernoulliLike, 1215 randomBernoulliStatic, 1220 randomBernoulliDynamic, 1230 "
    "categoricalDistribution, 1250 reduceL1, 1255 reduceL2, 1260 reduceMax, 1265 reduceMin, "
    "1270 reduceSum, 1275 reduceProd, 1280 reduceMean, 1285 reduceLogSum, 1290 "
    "reduceSumSquare, 1295 reduceLogSumExp, 1313 whereNonZero, 1315 matrixBandPart, 1320 "
    "lowerTriangular, 1325 upperTriangular, 1330 whereBroadcastable, 1350 layerNormalization, "
    "1400 NonMaximumSuppression, 1450 oneHot, 1455 cumSum, 1460 clampedReLU, 1461 argSort, "
    "1465 pooling3d, 1466 globalPooling3d, 1470 sliceBySize, 1471 convolution3d",
    own=True,
)  # fmt: skip
"""The kinds of layers, each with a message of its name."""

NETWORK_MESSAGES = {
    "slopes": fields("1 alpha weights, 2 beta weights"),
    "activation": fields(
        "5 linear line, 10 ReLU empty, 15 leakyReLU slope, 20 thresholdedReLU slope, 25 PReLU "
        "slopes, 30 tanh empty, 31 scaledTanh line, 40 sigmoid empty, 41 sigmoidHard line, 50 "
        "ELU slope, 60 softsign empty, 70 softplus empty, 71 parametricSoftplus slopes"
    ),
    "tensor": fields("1 rank, 2 dimValue"),
    "branch": fields("1 ifBranch network, 2 elseBranch network"),
    "loop": fields(
        "1 maxLoopIterations, 2 conditionVar s, 3 conditionNetwork network, 4 bodyNetwork "
        "network"
    ),
    "edges": fields("1 startEdgeSize, 2 endEdgeSize"),
    "borders": fields("10 borderAmounts edges"),
    "valid": fields("1 paddingAmounts borders"),
    "same": fields("1 asymmetryMode"),
    "sampling": fields("1 samplingMethod"),
    "boxes": fields("1 boxMode"),
    "weights": fields(
        "1 floatValue F, 2 float16Value b, 30 rawValue b, 31 int8RawValue b, 40 quantization "
        "quantization"
    ),
    "quantization": fields(
        "1 numberOfBits, 101 linearQuantization linear_quantization, 102 "
        "lookupTableQuantization table"
    ),
    "linear_quantization": fields("1 scale F, 2 bias F"),
    "table": fields("1 floatValue F"),
    "convolution": fields(
        "1 outputChannels, 2 kernelChannels, 10 nGroups, 20 kernelSize, 30 stride, 40 "
        "dilationFactor, 50 valid valid, 51 same same, 60 isDeconvolution, 70 hasBias, 90 "
        "weights weights, 91 bias weights, 100 outputShape"
    ),
    "convolution3d": fields(
        "1 outputChannels, 2 inputChannels, 10 nGroups, 20 kernelDepth, 21 kernelHeight, 22 "
        "kernelWidth, 31 strideDepth, 32 strideHeight, 33 strideWidth, 40 dilationDepth, 41 "
        "dilationHeight, 42 dilationWidth, 50 hasBias, 60 weights weights, 61 bias weights, "
        "70 paddingType, 80 customPaddingFront, 81 customPaddingBack, 82 customPaddingTop, 83 "
        "customPaddingBottom, 84 customPaddingLeft, 85 customPaddingRight, 86 "
        "isDeconvolution, 87 outputShape"
    ),
    "innerProduct": fields(
        "1 inputChannels, 2 outputChannels, 10 hasBias, 20 weights weights, 21 bias weights, "
        "22 int8DynamicQuantize"
    ),
    "embedding": fields(
        "1 inputDim, 2 outputChannels, 10 hasBias, 20 weights weights, 21 bias weights"
    ),
    "embeddingND": fields(
        "1 vocabSize, 2 embeddingSize, 3 hasBias, 20 weights weights, 21 bias weights"
    ),
    "batchnorm": fields(
        "1 channels, 5 computeMeanVar, 6 instanceNormalization, 10 epsilon f, 15 gamma "
        "weights, 16 beta weights, 17 mean weights, 18 variance weights"
    ),
    "complete": fields("10 paddingAmounts"),
    "pooling": fields(
        "1 type, 10 kernelSize, 20 stride, 30 valid valid, 31 same same, 32 includeLastPixel "
        "complete, 50 avgPoolExcludePadding, 60 globalPooling"
    ),
    "pooling3d": fields(
        "1 type, 2 kernelDepth, 3 kernelHeight, 4 kernelWidth, 5 strideDepth, 6 strideHeight, "
        "7 strideWidth, 15 paddingType, 8 customPaddingFront, 9 customPaddingBack, 10 "
        "customPaddingTop, 11 customPaddingBottom, 12 customPaddingLeft, 13 "
        "customPaddingRight, 14 countExcludePadding"
    ),
    "globalPooling3d": fields("1 type"),
    "padding": fields(
        "1 constant value, 2 reflection empty, 3 replication empty, 10 paddingAmounts borders"
    ),
    "concat": fields("100 sequenceConcat"),
    "lrn": fields("1 alpha f, 2 beta f, 3 localSize, 4 k f"),
    "split": fields("1 nOutputs"),
    "unary": fields("1 type, 2 alpha f, 3 epsilon f, 4 shift f, 5 scale f"),
    "upsample": fields(
        "1 scalingFactor, 7 fractionalScalingFactor f, 5 mode, 6 linearUpsampleMode"
    ),
    "resizeBilinear": fields("1 targetSize, 2 mode sampling"),
    "cropResize": fields(
        "1 targetSize, 2 normalizedCoordinates, 3 mode sampling, 4 boxIndicesMode boxes, 5 "
        "spatialScale f"
    ),
    "bias": fields("1 shape, 2 bias weights"),
    "scale": fields("1 shapeScale, 2 scale weights, 3 hasBias, 4 shapeBias, 5 bias weights"),
    "l2normalize": fields("1 epsilon f"),
    "reshape": fields("1 targetShape, 2 mode"),
    "reorganizeData": fields("1 mode, 2 blockSize"),
    "slice": fields("1 startIndex, 2 endIndex, 3 stride, 4 axis"),
    "reduce": fields("1 mode, 2 epsilon f, 3 axis"),
    "crop": fields("1 cropAmounts borders, 5 offset"),
    "dot": fields("1 cosineSimilarity"),
    "mvn": fields("1 acrossChannels, 2 normalizeVariance, 3 epsilon f"),
    "sequenceRepeat": fields("1 nRepetitions"),
    "simpleRecurrent": fields(
        "1 inputVectorSize, 2 outputVectorSize, 10 activation activation, 15 sequenceOutput, "
        "20 hasBiasVector, 30 weightMatrix weights, 31 recursionMatrix weights, 32 biasVector "
        "weights, 100 reverseInput"
    ),
    "gru": fields(
        "1 inputVectorSize, 2 outputVectorSize, 10 activations activation, 15 sequenceOutput, "
        "20 hasBiasVectors, 30 updateGateWeightMatrix weights, 31 resetGateWeightMatrix "
        "weights, 32 outputGateWeightMatrix weights, 50 updateGateRecursionMatrix weights, 51 "
        "resetGateRecursionMatrix weights, 52 outputGateRecursionMatrix weights, 70 "
        "updateGateBiasVector weights, 71 resetGateBiasVector weights, 72 "
        "outputGateBiasVector weights, 100 reverseInput"
    ),
    "lstm": fields(
        "10 sequenceOutput, 20 hasBiasVectors, 30 forgetBias, 40 hasPeepholeVectors, 50 "
        "coupledInputAndForgetGate, 60 cellClipThreshold f"
    ),
    "lstm_weights": fields(
        "1 inputGateWeightMatrix weights, 2 forgetGateWeightMatrix weights, 3 "
        "blockInputWeightMatrix weights, 4 outputGateWeightMatrix weights, 20 "
        "inputGateRecursionMatrix weights, 21 forgetGateRecursionMatrix weights, 22 "
        "blockInputRecursionMatrix weights, 23 outputGateRecursionMatrix weights, 40 "
        "inputGateBiasVector weights, 41 forgetGateBiasVector weights, 42 "
        "blockInputBiasVector weights, 43 outputGateBiasVector weights, 60 "
        "inputGatePeepholeVector weights, 61 forgetGatePeepholeVector weights, 62 "
        "outputGatePeepholeVector weights"
    ),
    "uniDirectionalLSTM": fields(
        "1 inputVectorSize, 2 outputVectorSize, 10 activations activation, 15 params lstm, 20 "
        "weightParams lstm_weights, 100 reverseInput"
    ),
    "biDirectionalLSTM": fields(
        "1 inputVectorSize, 2 outputVectorSize, 10 activationsForwardLSTM activation, 11 "
        "activationsBackwardLSTM activation, 15 params lstm, 20 weightParams lstm_weights"
    ),
    "custom": fields("10 className s, 20 weights weights"),
    "batchedMatmul": fields(
        "1 transposeA, 2 transposeB, 5 weightMatrixFirstDimension, 6 "
        "weightMatrixSecondDimension, 7 hasBias, 8 weights weights, 9 bias weights, 10 "
        "int8DynamicQuantize"
    ),
    "concatND": fields("1 axis, 2 interleave"),
    "reverse": fields("1 reverseDim"),
    "reverseSeq": fields("1 batchAxis, 2 sequenceAxis"),
    "fillStatic": fields("1 value f, 2 targetShape"),
    "matrixBandPart": fields("1 numLower, 2 numUpper"),
    "constantPad": fields("1 value f, 2 padAmounts, 3 padToGivenOutputSizeMode"),
    "squeeze": fields("1 axes, 2 squeezeAll"),
    "topK": fields("1 axis, 2 K, 3 useBottomK"),
    "splitND": fields("1 axis, 2 numSplits, 3 splitSizes"),
    "clip": fields("1 minVal f, 2 maxVal f"),
    "sliceStatic": fields(
        "1 beginIds, 2 beginMasks, 3 endIds, 4 endMasks, 5 strides, 6 squeezeMasks"
    ),
    "sliceDynamic": fields("2 beginMasks, 3 endIds, 4 endMasks, 5 strides, 6 squeezeMasks"),
    "tile": fields("1 reps"),
    "rangeStatic": fields("1 endValue f, 2 startValue f, 3 stepSizeValue f"),
    "rangeDynamic": fields("2 startValue f, 3 stepSizeValue f"),
    "slidingWindows": fields("1 axis, 2 windowSize, 3 step"),
    "layerNormalization": fields("1 normalizedShape, 2 eps f, 3 gamma weights, 4 beta weights"),
    "NonMaximumSuppression": fields(
        "1 iouThreshold f, 2 scoreThreshold f, 3 maxBoxes, 4 perClassSuppression"
    ),
    "argSort": fields("1 axis, 2 descending"),
    "sliceBySize": fields("2 size, 3 axis"),
    "oneHot": fields("1 oneHotVectorSize, 2 axis, 3 onValue f, 4 offValue f"),
    "cumSum": fields("1 axis, 2 excludeFinalSum, 3 reverse"),
}  # fmt: skip

NETWORK_MESSAGES |= dict.fromkeys(
    ("slope", "equal", "notEqual", "add", "multiply"),
    fields("1 alpha f"),
)
NETWORK_MESSAGES |= dict.fromkeys(
    ("line", "clampedReLU"),
    fields("1 alpha f, 2 beta f"),
)
NETWORK_MESSAGES |= dict.fromkeys(
    ("greaterThan", "greaterEqual", "lessThan", "lessEqual"),
    fields("2 alpha f"),
)
NETWORK_MESSAGES |= dict.fromkeys(
    ("value", "fillLike", "fillDynamic"),
    fields("1 value f"),
)
NETWORK_MESSAGES |= dict.fromkeys(
    ("loadConstant", "loadConstantND"),
    fields("1 shape, 2 data weights"),
)
NETWORK_MESSAGES |= dict.fromkeys(
    ("flatten", "scatterND", "gelu"),
    fields("1 mode"),
)
NETWORK_MESSAGES |= dict.fromkeys(
    ("permute", "softmaxND", "gather", "gatherAlongAxis", "stack", "flattenTo2D"),
    fields("1 axis"),
)
NETWORK_MESSAGES |= dict.fromkeys(
    ("transpose", "expandDims"),
    fields("1 axes"),
)
NETWORK_MESSAGES |= dict.fromkeys(
    ("upperTriangular", "lowerTriangular"),
    fields("1 k"),
)
NETWORK_MESSAGES |= dict.fromkeys(
    ("broadcastToStatic", "rankPreservingReshape", "reshapeStatic"),
    fields("1 targetShape"),
)
NETWORK_MESSAGES |= dict.fromkeys(
    ("scatter", "scatterAlongAxis"),
    fields("1 axis, 2 mode"),
)
NETWORK_MESSAGES |= dict.fromkeys(
    (
        "reduceL1",
        "reduceL2",
        "reduceMax",
        "reduceMin",
        "reduceSum",
        "reduceProd",
        "reduceMean",
        "reduceLogSum",
        "reduceSumSquare",
        "reduceLogSumExp",
    ),
    fields("1 axes, 2 keepDims, 3 reduceAll"),
)
NETWORK_MESSAGES |= dict.fromkeys(
    ("argMax", "argMin"),
    fields("1 axis, 2 removeDim"),
)
