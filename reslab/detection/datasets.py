"""The data sets with boxes, by name, and what is known of them before they are read."""

from ..data import Facts

# Everingham et al. 2010: "07" and "12" are trainval, tested on VOC07's test split; "07++12" adds that split to the
# training pictures, for VOC12's test, whose boxes are not public: held out is what val_split takes away.
BOX_DATASETS = {
    "scenes": Facts(2_000, 300, None, 5),
    "voc07": Facts(5_011, 4_952, None, 20),
    "voc07+12": Facts(16_551, 4_952, None, 20),
    "voc07++12": Facts(21_503, 0, None, 20),
}
