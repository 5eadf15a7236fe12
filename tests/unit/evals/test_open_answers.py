"""The reader of open answers against a table of answers that lenient graders get wrong."""

from __future__ import annotations

import pytest

from evals.open_answers import OpenReason, judge_open

RIGHT = [
    ("yes", "Yes"),
    ("Yes.", "yes"),
    ("YES!", "Yes"),
    ("**Yes**, there is fluid.", "Yes"),
    ("Yes: pleural effusion is present on the left [E1].", "Yes"),
    ("Answer: yes", "yes"),
    ("The answer is no.", "No"),
    ("No: pneumothorax is absent [E2].", "No"),
    ("No pneumothorax is seen.", "No"),
    ("no", "No."),
    ("True", "yes"),
    ("False", "No"),
    ("The heart is of normal size. So the verdict is: no", "No"),
    ("The lungs look clear. No", "No"),
    ("<think>yes or no? maybe yes</think> No", "No"),
    ("Ｙｅｓ", "Yes"),
    ("PA", "PA"),
    ("The view is PA.", "PA"),
    ("Chest X-ray", "X-Ray"),
    ("This is an xray of the chest", "x-ray"),
    ("left", "Left"),
    ("On the left side [E1]", "Left"),
    ("It is on the left, not the right.", "left"),
    ("Left lung", "Left Lung"),
    ("The lesion is in the left upper zone", "left upper"),
    ("Pulmonary oedema", "pulmonary edema"),
    ("Pleural effusions on the left", "Pleural effusion"),
    ("fluid in the pleural space: pleural effusion", "Effusion"),
    ("Enlarged heart (cardiomegaly)", "Cardiomegaly"),
    ("Cardiac enlargement is present", "Cardiomegaly"),
    ("The heart and the lungs", "Lung, Heart"),
    ("Lung; heart", "Heart, Lung"),
    ("Two", "two"),
    ("There are 2 of them", "2"),
    ("the Right Lung", "right lung"),
    ("Not the heart but the lung", "lung"),
]
WRONG = [
    ("no", "Yes", OpenReason.STATED),
    ("Yes, definitely", "No", OpenReason.STATED),
    ("No effusion is seen.", "Yes", OpenReason.STATED),
    ("right", "Left", OpenReason.DIFFERENT),
    ("On both sides, left and right", "Left", OpenReason.BOTH),
    ("left or right", "left", OpenReason.BOTH),
    ("AP or PA", "PA", OpenReason.BOTH),
    ("not on the left", "left", OpenReason.DENIED),
    ("There is no pleural effusion", "Pleural effusion", OpenReason.DENIED),
    ("No mass", "mass", OpenReason.DENIED),
    ("Mass", "Nodule", OpenReason.DIFFERENT),
    ("The heart", "Lung, Heart", OpenReason.DIFFERENT),
    ("massive", "mass", OpenReason.DIFFERENT),
    ("leftover", "left", OpenReason.DIFFERENT),
    ("12", "2", OpenReason.DIFFERENT),
    ("Upper or lower zone", "upper", OpenReason.BOTH),
    ("normal and abnormal", "normal", OpenReason.BOTH),
]
UNREAD = [
    ("", "Yes", OpenReason.EMPTY),
    (" [E1] ", "Yes", OpenReason.EMPTY),
    ("<think>yes</think>", "Yes", OpenReason.EMPTY),
    ("Pleural effusion is present on the left.", "Yes", OpenReason.NO_VERDICT),
    ("Maybe.", "Yes", OpenReason.NO_VERDICT),
    ("Uncertain: mass lies near its threshold.", "Yes", OpenReason.NO_VERDICT),
    ("Yes or no, it is hard to say", "Yes", OpenReason.NO_VERDICT),
    ("yes/no", "No", OpenReason.NO_VERDICT),
    ("Yes. The answer is no.", "Yes", OpenReason.BOTH),
    ("The answer is yes. The answer is no.", "No", OpenReason.BOTH),
    ("Not assessed: no tool sees this.", "Yes", OpenReason.REFUSED),
    ("I'm sorry, I cannot help.", "No", OpenReason.REFUSED),
    ("I cannot tell", "left", OpenReason.REFUSED),
    ("Its side is not determined.", "left", OpenReason.REFUSED),
    ("I could not tell what is asked.", "mass", OpenReason.REFUSED),
    ("Yesterday's film is better", "Yes", OpenReason.NO_VERDICT),
    ("Nodule", "No", OpenReason.NO_VERDICT),
    ("Notable fluid", "No", OpenReason.NO_VERDICT),
]


def test_with_the_letters_the_tables_are_large() -> None:
    assert len(RIGHT) + len(WRONG) + len(UNREAD) >= 70


@pytest.mark.parametrize(("text", "reference"), RIGHT)
def test_right(text: str, reference: str) -> None:
    assert judge_open(text, reference).right, judge_open(text, reference)


@pytest.mark.parametrize(("text", "reference", "reason"), WRONG)
def test_wrong(text: str, reference: str, reason: OpenReason) -> None:
    judged = judge_open(text, reference)
    assert (judged.read, judged.right, judged.reason) == (True, False, reason)


@pytest.mark.parametrize(("text", "reference", "reason"), UNREAD)
def test_unread(text: str, reference: str, reason: OpenReason) -> None:
    judged = judge_open(text, reference)
    assert (judged.read, judged.right, judged.reason) == (False, False, reason)
