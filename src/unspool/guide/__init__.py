"""Arm's guide: its model, its flow's figures, its data."""
