"""Figures of merit: of scores, masks, boxes, texts, ranked lists, changes. Pure; each checked against a reference."""
