"""The fields of a model, its inputs and outputs, and programs, by their numbers.

Those of neural networks are in `network_schema.py`; `messages.py` explains how they are written.
"""

from __future__ import annotations

from archscope.importers.coreml.messages import fields
from archscope.importers.coreml.network_schema import LAYERS, NETWORK_MESSAGES

NETWORKS = {303: "neuralNetworkRegressor", 403: "neuralNetworkClassifier", 500: "neuralNetwork"}
"""The kinds of models that are layers."""

OTHERS = {
    200: "pipelineClassifier", 201: "pipelineRegressor", 202: "pipeline", 300: "glmRegressor",
    301: "supportVectorRegressor", 302: "treeEnsembleRegressor", 304: "bayesianProbitRegressor",
    400: "glmClassifier", 401: "supportVectorClassifier", 402: "treeEnsembleClassifier",
    404: "kNearestNeighborsClassifier", 501: "itemSimilarityRecommender", 555: "customModel",
    556: "linkedModel", 560: "classConfidenceThresholding", 600: "oneHotEncoder",
    601: "imputer", 602: "featureVectorizer", 603: "dictVectorizer", 604: "scaler",
    606: "categoricalMapping", 607: "normalizer", 609: "arrayFeatureExtractor",
    610: "nonMaximumSuppression", 900: "identity", 2000: "textClassifier", 2001: "wordTagger",
    2002: "visionFeaturePrint", 2003: "soundAnalysisPreprocessing", 2004: "gazetteer",
    2005: "wordEmbedding", 2006: "audioFeaturePrint", 3000: "serializedModel",
}  # fmt: skip
"""The kinds of models that are no single network."""

NETWORK = (
    "1 layers layer, 2 preprocessing preprocessing, 5 arrayInputShapeMapping,"
    " 6 imageInputShapeMapping"
)

MESSAGES = {
    "model": fields("1 specificationVersion, 2 description description, 502 mlProgram program")
    | {number: (name, "network") for number, name in NETWORKS.items()}
    | {number: (name, "empty") for number, name in OTHERS.items()},
    "description": fields(
        "1 input feature, 10 output feature, 11 predictedFeatureName s,"
        " 12 predictedProbabilitiesName s, 13 state feature, 20 functions function_description,"
        " 21 defaultFunctionName s"
    ),
    "function_description": fields("1 name s, 2 input feature, 3 output feature"),
    "feature": fields("1 name s, 3 type feature_type"),
    "feature_type": fields(
        "1 int64Type empty, 2 doubleType empty, 3 stringType empty, 4 imageType image,"
        " 5 multiArrayType array, 6 dictionaryType empty, 7 sequenceType empty, 8 stateType empty,"
        " 1000 isOptional"
    ),
    "image": fields(
        "1 width, 2 height, 3 colorSpace, 21 enumeratedSizes image_sizes, 31 imageSizeRange"
        " image_range"
    ),
    "image_sizes": fields("1 sizes image_size"),
    "image_size": fields("1 width, 2 height"),
    "image_range": fields("1 widthRange range, 2 heightRange range"),
    "range": fields("1 lowerBound, 2 upperBound"),
    "array": fields(
        "1 shape, 2 dataType, 21 enumeratedShapes shapes, 31 shapeRange shape_range"
    ),
    "shapes": fields("1 shapes shape"),
    "shape": fields("1 shape"),
    "shape_range": fields("1 sizeRanges range"),
    # Neural networks.
    "network": fields(NETWORK + ", 100 stringClassLabels empty, 101 int64ClassLabels empty,"
                      " 200 labelProbabilityLayerName s"),
    "preprocessing": fields("1 featureName s, 10 scaler scaler, 11 meanImage mean_image"),
    "scaler": fields(
        "10 channelScale f, 20 blueBias f, 21 greenBias f, 22 redBias f, 30 grayBias f"
    ),
    "mean_image": fields("1 meanImage F"),
    "layer": fields(
        "1 name s, 2 input s, 3 output s, 4 inputTensor tensor, 5 outputTensor tensor"
    ) | LAYERS,
    **NETWORK_MESSAGES,
    # Programs.
    "program": fields("1 version, 2 functions function_entry"),
    "function_entry": fields("1 key s, 2 value function"),
    "function": fields("1 inputs named_type, 2 opset s, 3 block_specializations block_entry"),
    "block_entry": fields("1 key s, 2 value block"),
    "block": fields("1 inputs named_type, 2 outputs s, 3 operations operation"),
    "operation": fields(
        "1 type s, 2 inputs argument_entry, 3 outputs named_type, 4 blocks block,"
        " 5 attributes value_entry"
    ),
    "argument_entry": fields("1 key s, 2 value argument"),
    "argument": fields("1 arguments binding"),
    "binding": fields("1 name s, 2 value program_value"),
    "value_entry": fields("1 key s, 2 value program_value"),
    "named_type": fields("1 name s, 2 type value_type"),
    "value_type": fields("1 tensorType tensor_type, 2 listType empty, 3 tupleType empty,"
                         " 4 dictionaryType empty, 5 stateType state_type"),
    "state_type": fields("1 wrappedType value_type"),
    "tensor_type": fields("1 dataType, 2 rank, 3 dimensions dimension"),
    "dimension": fields("1 constant dimension_size, 2 unknown empty"),
    "dimension_size": fields("1 size"),
    "program_value": fields("2 type value_type, 3 immediateValue immediate, 5 blobFileValue blob"),
    "immediate": fields("1 tensor tensor_value, 2 tuple empty, 3 list empty, 4 dictionary empty"),
    "blob": fields("1 fileName s, 2 offset"),
    "tensor_value": fields(
        "1 floats many_floats, 2 ints integers, 3 bools integers, 4 strings texts,"
        " 5 longInts integers, 6 doubles doubles, 7 bytes byte_string"
    ),
    "many_floats": fields("1 values F"),
    "integers": fields("1 values"),
    "doubles": fields("1 values d"),
    "texts": fields("1 values t"),
    "byte_string": fields("1 values b"),
}  # fmt: skip
"""The fields of each message."""
