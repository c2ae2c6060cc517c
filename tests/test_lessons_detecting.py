"""Held-out pictures and what nets find on them, against the source and the task themselves."""

import pytest
import torch

from reslab import RunConfig, RunStore, train
from reslab.detection.looking import Proposals
from reslab.lessons.detecting import emptiest, look
from reslab.training.sources import opened


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    config = RunConfig(task="detection", profile="smoke", val_split=12)
    return train(config, tmp_path_factory.mktemp("runs"), device="cpu")


def test_pictures_are_those_held_out_and_detections_what_the_net_says_of_them(run):
    seen = look([run])
    assert len(seen.pictures) == 12 and seen.pictures[0].dtype == torch.uint8
    with opened(run.config, "cpu", workers=0) as source:
        images, targets = next(source.held_out())
        assert seen.classes == source.classes
    torch.testing.assert_close(seen.pictures[3].float() / 255, images[3])
    torch.testing.assert_close(seen.targets[3]["boxes"], targets[3]["boxes"])
    with torch.inference_mode():
        (said,) = run.net()([images[3]])
    for name, values in seen.found[run.config][3]._asdict().items():
        torch.testing.assert_close(values, said[name])


def test_the_first_few_and_the_fullest_of_them(run):
    seen = look([run], 5)
    counts = [len(target["labels"]) for target in seen.targets]
    assert len(counts) == 5 and seen.fullest == counts.index(max(counts))


def test_what_cannot_be_looked_at_is_a_sentence(run, tmp_path):
    store = RunStore(tmp_path)
    other = store.create(RunConfig(task="detection", profile="smoke", val_split=9))
    classifier = store.create(RunConfig(depth=8, profile="smoke"))
    for given, told in (
        ([], "no run"),
        ([classifier], "a run of classification"),
        ([run, other], "other held-out"),
    ):
        with pytest.raises(ValueError, match=told):
            look(given)


def test_the_emptiest_proposal_is_the_last_that_overlaps_nothing():
    boxes = torch.tensor([[0, 0, 9, 9], [50, 50, 60, 60], [30, 0, 40, 9], [3, 3, 30, 30]], dtype=torch.float32)
    proposed = Proposals(boxes, torch.tensor([0.9, 0.8, 0.7, 0.1]))
    objects = dict(boxes=torch.tensor([[1.0, 1, 9, 9], [20, 20, 29, 29]]))
    assert emptiest(proposed, objects).tolist() == [30, 0, 40, 9]
    assert emptiest(Proposals(boxes[:1], proposed.scores[:1]), objects).tolist() == [0, 0, 9, 9]
