"""Figures from plain rows: pure functions, without Streamlit."""
