"""What counts as an incident, whatever the data is about."""

from __future__ import annotations

INCIDENT_SHARE = 0.3
"""Of a day's rows lost or without a value. Seen in good data: at most 0.16 (comments, Japan); an incident loses half."""
