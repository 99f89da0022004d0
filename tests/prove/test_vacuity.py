"""Vacuity: hollow specs are noticed, sound ones are not accused."""

from __future__ import annotations

from dataclasses import replace

from compiler.model.system import Axiom
from compiler.model.term import FALSE
from compiler.prove.search import Search, SearchOptions
from compiler.prove.vacuity import Evidence, findings
from tests.prove.specimens import model_of_file, model_of_text, text_of

PATIENT = SearchOptions(seconds=60)


def test_sound_specs_have_no_findings() -> None:
    for name in ("paxos.accord", "two_phase_commit.accord"):
        model = model_of_file(name)
        assert findings(model, Search(model, PATIENT), seconds=60) == ()


def hollow() -> str:
    return text_of("two_phase_commit.accord").replace(
        "on Inquire(transaction):",
        "on Inquire(transaction) when decision[transaction] = Commit and transaction in open:",
    )


def test_an_action_that_never_happens_is_a_note() -> None:
    model = model_of_text(hollow())
    search = Search(model, SearchOptions(seconds=60, layers=6))
    (finding,) = findings(model, search, seconds=60)
    assert (finding.severity, finding.kind) == ("note", "unseen_action")
    assert finding.name == "Coordinator.on_inquire"
    assert "layers with 1 Coordinator" in finding.message
    assert finding.span is not None


def test_with_a_proof_it_is_an_error() -> None:
    model = model_of_text(hollow())
    search = Search(model, SearchOptions(seconds=60, layers=4))
    evidence = Evidence(dead=frozenset(["Coordinator.on_inquire"]))
    (finding,) = findings(model, search, evidence, seconds=60)
    assert (finding.severity, finding.kind) == ("error", "dead_action")


def test_a_proof_about_an_action_that_was_seen_is_not_believed() -> None:
    model = model_of_file("two_phase_commit.accord")
    evidence = Evidence(dead=frozenset(["Coordinator.on_inquire"]))
    assert findings(model, Search(model, PATIENT), evidence, seconds=60) == ()


def test_inconsistent_axioms() -> None:
    model = model_of_file("two_phase_commit.accord")
    evidence = Evidence(inconsistent=True)
    (finding,) = findings(model, Search(model, PATIENT), evidence)
    assert (finding.severity, finding.kind) == ("error", "inconsistent")
    hopeless = replace(model, axioms=(*model.axioms, Axiom("no", FALSE, "fact")))
    kinds = [f.kind for f in findings(hopeless, Search(hopeless, PATIENT), seconds=60)]
    assert kinds[0] == "no_initial_state"


def test_thresholds_that_no_small_number_meets() -> None:
    text = text_of("paxos.accord").replace("2 * size > total", "size >= 9")
    model = model_of_text(text)
    (finding,) = findings(model, Search(model, PATIENT))
    assert (finding.severity, finding.kind) == ("note", "inconsistent")


def test_redundant_invariants_are_handed_through() -> None:
    model = model_of_file("two_phase_commit.accord")
    evidence = Evidence(redundant=frozenset(["open_is_undecided"]))
    (finding,) = findings(model, Search(model, PATIENT), evidence, seconds=60)
    assert (finding.severity, finding.kind) == ("note", "redundant")
    assert finding.span is not None
