"""The demo's figures, computed by the services that the DAGs run, outside Airflow, on days beyond the story's end."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING, Any

from evergreen.core.release import released_at

if TYPE_CHECKING:
    import pandas as pd

    from evergreen.ports.model import ModelSpec, Predictor

BOOTSTRAP = (date(2025, 2, 23), date(2025, 6, 15))
CALM = (date(2025, 6, 16), date(2025, 7, 23))
BREAK = date(2025, 7, 24)
PROMOTED_BY = date(2025, 8, 31)
RETRAINED_AS_OF = date(2025, 9, 30)
AFTER_BREAK = (date(2025, 10, 1), date(2025, 11, 30))
QUARTILE_TRAINING = (BREAK, date(2025, 11, 30))
QUARTILE_TEST = (date(2025, 12, 1), date(2026, 2, 28))


def figures(spec: ModelSpec, silver: pd.DataFrame, first_champion: Predictor) -> dict[str, float | None]:
    """Mean absolute errors of log10 views at first listing, and the AUC of P(top quartile of views).

    calm_mae          the first champion on the calm test
    after_break_mae   the same version after the break
    retrained_mae     what the retrain service makes as of 2025-09-30, on the two months after
    top_quartile_auc  threshold and model from the quarter before; null where the data ends earlier
    """
    from evergreen.services.training import feature_table, train_candidate

    table = feature_table(spec, silver, released_at(QUARTILE_TEST[1]))
    retrained = train_candidate(spec, silver, released_at(RETRAINED_AS_OF), change_point=BREAK)
    predictor = spec.predictor(retrained.fitted.estimators, retrained.fitted.card)
    return {
        "calm_mae": _mae(spec, table, first_champion, *CALM),
        "after_break_mae": _mae(spec, table, first_champion, *AFTER_BREAK),
        "retrained_mae": _mae(spec, table, predictor, *AFTER_BREAK),
        "top_quartile_auc": _top_quartile_auc(spec, table),
    }


def _mae(spec: ModelSpec, table: pd.DataFrame, predictor: Predictor, first: date, last: date) -> float | None:
    from evergreen.services.row_losses import losses_on
    from evergreen.services.training import rows_between

    rows = rows_between(spec, table, first, last)
    if rows.empty:
        return None
    return round(float(losses_on(spec, predictor.predict(rows[list(spec.feature_names)]), rows).mean()), 4)


def _top_quartile_auc(spec: ModelSpec, table: pd.DataFrame) -> float | None:
    from sklearn.metrics import roc_auc_score

    from evergreen.services.training import TrainingWindow, fit_candidate, rows_between

    test = rows_between(spec, table, *QUARTILE_TEST)
    if test.empty:
        return None
    fitted = fit_candidate(spec, table, TrainingWindow(*QUARTILE_TRAINING, *QUARTILE_TEST, change_point=BREAK)).fitted
    requests: list[dict[str, Any]] = [{str(name): value for name, value in row.items()} for row in test.to_dict("records")]
    chances = [answer["viral_probability"] for answer in spec.predictor(fitted.estimators, fitted.card).answer(requests)]
    top = test[spec.target] >= fitted.card["viral"]["threshold"]
    return round(float(roc_auc_score(top, chances)), 4) if 0 < top.sum() < len(top) else None
