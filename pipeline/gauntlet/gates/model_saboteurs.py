"""This module provides the saboteurs of the gates on the model."""

from __future__ import annotations

from gauntlet.gates.gate import Saboteur
from gauntlet.gates.model_answer_saboteurs import ANSWER_SABOTEURS
from gauntlet.gates.model_champion_saboteurs import CHAMPION_SABOTEURS
from gauntlet.gates.model_choice_saboteurs import CHOICE_SABOTEURS

SABOTEURS: tuple[Saboteur, ...] = (*ANSWER_SABOTEURS, *CHAMPION_SABOTEURS, *CHOICE_SABOTEURS)
