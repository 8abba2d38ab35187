"""A choice outlives a change of language: what was chosen, not how it was written."""

from __future__ import annotations

from streamlit.testing.v1 import AppTest


def script() -> None:
    import streamlit as st

    from dashboard.app import keep_choices
    from dashboard.words import named, words

    language = st.session_state.setdefault("language", "en")
    picked = "ko" if st.toggle("korean", key="picked") else "en"
    if picked != language:
        keep_choices(but={"language", "picked"})
        st.session_state["language"] = picked
        st.rerun()
    t = words(language)
    options = ["low", "medium", "high"]
    st.selectbox("one", options, index=None, format_func=lambda word: named(t, "names.severity", word), key="one")
    st.selectbox("two", options, index=1, format_func=lambda word: named(t, "names.severity", word), key="two")
    st.multiselect("many", options, default=["low"], format_func=lambda word: named(t, "names.severity", word), key="many")
    st.text_input("words", key="words")
    st.button(t("common.try_again"), key="again")


def test_what_was_chosen_is_kept_through_a_change_of_language() -> None:
    ran = AppTest.from_function(script).run()
    ran.selectbox("one").select("high")
    ran.selectbox("two").select("low")
    ran.multiselect("many").set_value(["medium", "high"])
    ran.text_input("words").input("a, b").run()
    ran.toggle("picked").set_value(True).run()
    assert not ran.exception
    assert not ran.warning
    assert [ran.selectbox("one").value, ran.selectbox("two").value, ran.multiselect("many").value, ran.text_input("words").value] == [
        "high",
        "low",
        ["medium", "high"],
        "a, b",
    ]
    assert ran.selectbox("one").options[-1] == "높음"
