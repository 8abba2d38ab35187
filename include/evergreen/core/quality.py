"""What counts as an incident, whatever the data is about, and what its issues are called."""

from __future__ import annotations

BATCH_MISSING = "batch_missing"
INCIDENT_OVER = "incident_over"
INCIDENT_SHARE = 0.3
"""Of a day's rows lost or without a value. Seen in good data: at most 0.16 (comments, Japan); an incident loses half."""
