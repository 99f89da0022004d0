"""Two small models, written by hand so that tests of the model need no other room.

A lock server, whose reachable states can be counted on paper, and Paxos with the proposer's
second phase left to chance, for its quorums, order, options and crashes.
"""

from __future__ import annotations

from dataclasses import replace

from compiler.model.layout import (
    FieldLayout,
    History,
    Leaf,
    Product,
    RoleLayout,
    SignatureLayout,
    StoredLeaf,
    StoredMap,
    StoredOption,
    StoredSet,
    VariableLayout,
)
from compiler.model.system import (
    Action,
    Arithmetic,
    Axiom,
    Choice,
    Comparison,
    Content,
    Crashed,
    Fact,
    FieldParameters,
    Model,
    Number,
    Property,
    Quantity,
    QuorumLayout,
    Received,
    Requested,
    SortDeclaration,
    Trigger,
    Update,
)
from compiler.model.term import (
    BOOL,
    FALSE,
    TRUE,
    Apply,
    Element,
    Sort,
    Symbol,
    Term,
    Var,
    conjunction,
    disjunction,
    equal,
    exists,
    forall,
    implication,
    ite,
    negation,
)

NO_GHOSTS = RoleLayout("", None, False, ())


def _relation(name: str, *arguments: Sort, unique: int = 0) -> Symbol:
    return Symbol(name, arguments, BOOL, mutable=True, unique=unique)


def _row(*pairs: tuple[Term, Term]) -> Term:
    return conjunction(equal(a, b) for a, b in pairs)


def _action(
    node: Var,
    handler: str,
    trigger: Trigger,
    parameters: tuple[Var, ...],
    guard: Term,
    *updates: Update,
    contents: tuple[Content, ...] = (),
    choices: tuple[Choice, ...] = (),
) -> Action:
    role = node.sort.name
    return Action(
        f"{role}.{handler}",
        role,
        handler,
        node,
        trigger,
        choices,
        contents,
        (node, *parameters),
        guard,
        updates,
        (),
    )


# --- a lock server -----------------------------------------------------------------------------

CLIENT, SERVER = Sort("Client"), Sort("Server")
LOCK = Sort("Server.state")
FREE, TAKEN = Element("Free", LOCK), Element("Taken", LOCK)
THE = Symbol("Server.the", (), SERVER, mutable=False)
LOCK_STATE = Symbol("Server.state", (SERVER,), LOCK, mutable=True)
HOLDING = _relation("Client.holding", CLIENT)
GRANT = _relation("sent.Grant", SERVER, CLIENT)


def lock_server() -> Model:
    """Return a server that grants a lock, forgetting the grant when it gives it out.

    Messages stay in the network, so a client that gave the lock back can take it again from
    its old grant: mutual exclusion fails, but not within three steps.
    """
    server, client, s, c, c2 = (
        Var("server", SERVER),
        Var("client", CLIENT),
        Var("s", SERVER),
        Var("c", CLIENT),
        Var("c2", CLIENT),
    )
    state = Apply(LOCK_STATE, (server,))
    holding = Apply(HOLDING, (client,))
    grant = _action(
        server,
        "on_acquire",
        Requested("Acquire", (FieldParameters((client,)),)),
        (client,),
        equal(state, FREE),
        Update(LOCK_STATE, (s,), ite(equal(s, server), TAKEN, Apply(LOCK_STATE, (s,)))),
        Update(GRANT, (s, c), disjunction((Apply(GRANT, (s, c)), _row((s, server), (c, client))))),
    )
    take = _action(
        client,
        "on_grant",
        Received("Grant", server, ()),
        (server,),
        Apply(GRANT, (server, client)),
        Update(HOLDING, (c,), disjunction((equal(c, client), Apply(HOLDING, (c,))))),
    )
    give_back = _action(
        client,
        "on_release",
        Requested("Release", ()),
        (),
        holding,
        Update(HOLDING, (c,), conjunction((negation(equal(c, client)), Apply(HOLDING, (c,))))),
        Update(LOCK_STATE, (s,), FREE),
    )
    exclusion = forall(
        (c, c2),
        implication(conjunction((Apply(HOLDING, (c,)), Apply(HOLDING, (c2,)))), equal(c, c2)),
    )
    return Model(
        name="LockServer",
        sorts=(
            SortDeclaration(CLIENT, "role"),
            SortDeclaration(SERVER, "role", the=THE),
            SortDeclaration(LOCK, "enum", ("Free", "Taken")),
        ),
        symbols=(THE, HOLDING, LOCK_STATE, GRANT),
        axioms=(Axiom("Server", forall((s,), equal(s, Apply(THE, ()))), "single"),),
        initial=(
            Update(HOLDING, (c,), FALSE),
            Update(LOCK_STATE, (s,), FREE),
            Update(GRANT, (s, c), FALSE),
        ),
        actions=(grant, take, give_back),
        properties=(Property("safety", "exclusion", exclusion),),
        quorums=(),
        assumptions=(),
        facts=(),
        roles=(
            RoleLayout(
                "Client",
                CLIENT,
                False,
                (VariableLayout("holding", "durable", StoredLeaf(HOLDING)),),
            ),
            RoleLayout(
                "Server",
                SERVER,
                True,
                (VariableLayout("state", "control", StoredLeaf(LOCK_STATE)),),
            ),
        ),
        ghosts=NO_GHOSTS,
        messages=(SignatureLayout("Grant", (), (History(GRANT, SERVER, CLIENT, None, ()),)),),
        requests=(),
        outputs=(),
    )


# --- Paxos -------------------------------------------------------------------------------------

PROPOSER, ACCEPTOR, LEARNER = Sort("Proposer"), Sort("Acceptor"), Sort("Learner")
BALLOT, VALUE, MAJORITY = Sort("Ballot"), Sort("Value"), Sort("Majority")
LESS = Symbol("Ballot.<", (BALLOT, BALLOT), BOOL, mutable=False)
ZERO = Symbol("Ballot.zero", (), BALLOT, mutable=False)
OWNER = Symbol("Ballot.owner", (BALLOT,), PROPOSER, mutable=False)
MEMBER = Symbol("Majority.member", (ACCEPTOR, MAJORITY), BOOL, mutable=False)
PROMISED = Symbol("Acceptor.promised", (ACCEPTOR,), BALLOT, mutable=True)
ACCEPTED = _relation("Acceptor.accepted", ACCEPTOR, BALLOT, VALUE, unique=2)
VOTES = _relation("Learner.votes", LEARNER, BALLOT, VALUE, ACCEPTOR)
DECIDED = _relation("Learner.decided", LEARNER, VALUE, unique=1)
SENT_PREPARE = _relation("sent.Prepare", PROPOSER, BALLOT)
SENT_NONE = _relation("sent.Promise.none", ACCEPTOR, PROPOSER, BALLOT)
SENT_SOME = _relation("sent.Promise.some", ACCEPTOR, PROPOSER, BALLOT, BALLOT, VALUE)
SENT_ACCEPT = _relation("sent.Accept", PROPOSER, BALLOT, VALUE)
SENT_ACCEPTED = _relation("sent.Accepted", ACCEPTOR, BALLOT, VALUE)

_a, _b, _c, _v, _w, _l, _p, _q = (
    Var("a", ACCEPTOR),
    Var("b", BALLOT),
    Var("c", BALLOT),
    Var("v", VALUE),
    Var("w", VALUE),
    Var("l", LEARNER),
    Var("p", PROPOSER),
    Var("q", MAJORITY),
)


def _below(low: Term, high: Term) -> Term:
    return Apply(LESS, (low, high))


def _recorded(symbol: Symbol, formals: tuple[Var, ...], *values: Term, when: Term = TRUE) -> Update:
    row = _row(*zip(formals, values, strict=True))
    return Update(symbol, formals, disjunction((Apply(symbol, formals), conjunction((row, when)))))


def _paxos_actions() -> tuple[Action, ...]:
    proposer, acceptor, learner = Var("proposer", PROPOSER), Var("n", ACCEPTOR), Var("m", LEARNER)
    ballot, value = Var("ballot", BALLOT), Var("value", VALUE)
    voted, choice = (Var("voted", BALLOT), Var("choice", VALUE)), Var("chosen", VALUE)
    prepare = _action(
        proposer,
        "on_propose",
        Requested("Propose", ()),
        (ballot,),
        conjunction(
            (
                _below(Apply(ZERO, ()), ballot),
                equal(Apply(OWNER, (ballot,)), proposer),
                negation(Apply(SENT_PREPARE, (proposer, ballot))),
            )
        ),
        _recorded(SENT_PREPARE, (_p, _b), proposer, ballot),
        choices=(Choice("pick", "ballot", (ballot,)),),
    )
    # What the acceptors of a majority reported, read off the network at once.
    reported = exists((_p,), Apply(SENT_NONE, (_a, _p, ballot)))
    reported_some = exists((_p, _c, _w), Apply(SENT_SOME, (_a, _p, ballot, _c, _w)))
    highest = forall(
        (_a, _p, _c, _w),
        implication(
            conjunction((Apply(MEMBER, (_a, _q)), Apply(SENT_SOME, (_a, _p, ballot, _c, _w)))),
            exists(
                (Var("a2", ACCEPTOR), Var("c2", BALLOT)),
                conjunction(
                    (
                        Apply(MEMBER, (Var("a2", ACCEPTOR), _q)),
                        Apply(
                            SENT_SOME,
                            (Var("a2", ACCEPTOR), proposer, ballot, Var("c2", BALLOT), choice),
                        ),
                        negation(_below(Var("c2", BALLOT), _c)),
                    )
                ),
            ),
        ),
    )
    all_of_them = forall(
        (_a,), implication(Apply(MEMBER, (_a, _q)), disjunction((reported, reported_some)))
    )
    accept = _action(
        proposer,
        "on_promise",
        Received("Promise", acceptor, (FieldParameters((ballot,)),)),
        (acceptor, ballot, choice),
        conjunction(
            (
                Apply(SENT_PREPARE, (proposer, ballot)),
                disjunction(
                    (
                        Apply(SENT_NONE, (acceptor, proposer, ballot)),
                        exists(voted, Apply(SENT_SOME, (acceptor, proposer, ballot, *voted))),
                    )
                ),
                negation(exists((_v,), Apply(SENT_ACCEPT, (proposer, ballot, _v)))),
                exists((_q,), conjunction((all_of_them, highest))),
            )
        ),
        _recorded(SENT_ACCEPT, (_p, _b, _v), proposer, ballot, choice),
    )
    promise = _action(
        acceptor,
        "on_prepare",
        Received("Prepare", proposer, (FieldParameters((ballot,)),)),
        (proposer, ballot, *voted),
        conjunction(
            (
                Apply(SENT_PREPARE, (proposer, ballot)),
                _below(Apply(PROMISED, (acceptor,)), ballot),
            )
        ),
        Update(PROMISED, (_a,), ite(equal(_a, acceptor), ballot, Apply(PROMISED, (_a,)))),
        _recorded(
            SENT_NONE,
            (_a, _p, _b),
            acceptor,
            proposer,
            ballot,
            when=negation(exists((_c, _v), Apply(ACCEPTED, (acceptor, _c, _v)))),
        ),
        Update(
            SENT_SOME,
            (_a, _p, _b, _c, _v),
            disjunction(
                (
                    Apply(SENT_SOME, (_a, _p, _b, _c, _v)),
                    conjunction(
                        (
                            _row((_a, acceptor), (_p, proposer), (_b, ballot)),
                            Apply(ACCEPTED, (acceptor, _c, _v)),
                        )
                    ),
                )
            ),
        ),
        contents=(Content(voted, Apply(ACCEPTED, (acceptor, *voted))),),
    )
    vote = _action(
        acceptor,
        "on_accept",
        Received("Accept", proposer, (FieldParameters((ballot,)), FieldParameters((value,)))),
        (proposer, ballot, value),
        conjunction(
            (
                Apply(SENT_ACCEPT, (proposer, ballot, value)),
                negation(_below(ballot, Apply(PROMISED, (acceptor,)))),
            )
        ),
        Update(PROMISED, (_a,), ite(equal(_a, acceptor), ballot, Apply(PROMISED, (_a,)))),
        Update(
            ACCEPTED,
            (_a, _b, _v),
            ite(
                equal(_a, acceptor), _row((_b, ballot), (_v, value)), Apply(ACCEPTED, (_a, _b, _v))
            ),
        ),
        _recorded(SENT_ACCEPTED, (_a, _b, _v), acceptor, ballot, value),
    )
    voters = Apply(VOTES, (learner, ballot, value, _a))
    decides = exists(
        (_q,),
        forall(
            (_a,),
            implication(Apply(MEMBER, (_a, _q)), disjunction((voters, equal(_a, acceptor)))),
        ),
    )
    count = _action(
        learner,
        "on_accepted",
        Received("Accepted", acceptor, (FieldParameters((ballot,)), FieldParameters((value,)))),
        (acceptor, ballot, value),
        Apply(SENT_ACCEPTED, (acceptor, ballot, value)),
        _recorded(VOTES, (_l, _b, _v, _a), learner, ballot, value, acceptor),
        Update(
            DECIDED,
            (_l, _v),
            ite(
                conjunction((equal(_l, learner), decides)),
                equal(_v, value),
                Apply(DECIDED, (_l, _v)),
            ),
        ),
    )
    crash = _action(
        learner,
        "crash",
        Crashed(),
        (),
        TRUE,
        Update(
            VOTES,
            (_l, _b, _v, _a),
            conjunction((negation(equal(_l, learner)), Apply(VOTES, (_l, _b, _v, _a)))),
        ),
    )
    return prepare, accept, promise, vote, count, crash


def _paxos_properties() -> tuple[Property, ...]:
    l2, p2, c, v2 = Var("l2", LEARNER), Var("p2", PROPOSER), _c, _w

    def sent(symbol: Symbol, *arguments: Term) -> Term:
        return Apply(symbol, arguments)

    def invariant(name: str, variables: tuple[Var, ...], left: list[Term], right: Term) -> Property:
        return Property("invariant", name, forall(variables, implication(conjunction(left), right)))

    agreement = forall(
        (_l, l2, _v, v2),
        implication(
            conjunction((Apply(DECIDED, (_l, _v)), Apply(DECIDED, (l2, v2)))), equal(_v, v2)
        ),
    )
    chosen = forall((_a,), implication(sent(MEMBER, _a, _q), sent(SENT_ACCEPTED, _a, _b, _v)))
    return (
        Property("safety", "agreement", agreement),
        invariant(
            "one_value_a_ballot",
            (_p, p2, _b, _v, v2),
            [sent(SENT_ACCEPT, _p, _b, _v), sent(SENT_ACCEPT, p2, _b, v2)],
            equal(_v, v2),
        ),
        invariant(
            "votes_were_asked_for",
            (_a, _b, _v),
            [sent(SENT_ACCEPTED, _a, _b, _v)],
            exists((_p,), sent(SENT_ACCEPT, _p, _b, _v)),
        ),
        invariant(
            "votes_were_sent",
            (_l, _b, _v, _a),
            [sent(VOTES, _l, _b, _v, _a)],
            sent(SENT_ACCEPTED, _a, _b, _v),
        ),
        invariant(
            "votes_below_promise",
            (_a, _b, _v),
            [sent(SENT_ACCEPTED, _a, _b, _v)],
            negation(_below(Apply(PROMISED, (_a,)), _b)),
        ),
        invariant(
            "decided_by_majority",
            (_l, _v),
            [sent(DECIDED, _l, _v)],
            exists((_b, _q), chosen),
        ),
        invariant(
            "promises_hold",
            (_a, _p, _b, c, _v),
            [sent(SENT_NONE, _a, _p, _b), _below(c, _b)],
            negation(sent(SENT_ACCEPTED, _a, c, _v)),
        ),
        invariant(
            "reports_are_true",
            (_a, _p, _b, c, _v),
            [sent(SENT_SOME, _a, _p, _b, c, _v)],
            conjunction((_below(c, _b), sent(SENT_ACCEPTED, _a, c, _v))),
        ),
        invariant(
            "chosen_is_kept",
            (_p, _b, c, _v, v2),
            [sent(SENT_ACCEPT, _p, _b, _v), _below(c, _b), negation(equal(_v, v2))],
            forall(
                (_q,),
                exists(
                    (_a,),
                    conjunction(
                        (
                            sent(MEMBER, _a, _q),
                            negation(_below(Apply(PROMISED, (_a,)), _b)),
                            negation(sent(SENT_ACCEPTED, _a, c, v2)),
                        )
                    ),
                ),
            ),
        ),
    )


def paxos() -> Model:
    """Return Paxos."""
    initial = (
        Update(PROMISED, (_a,), Apply(ZERO, ())),
        *(
            Update(s, tuple(Var(f"x{i}", sort) for i, sort in enumerate(s.arguments)), FALSE)
            for s in (
                ACCEPTED,
                VOTES,
                DECIDED,
                SENT_PREPARE,
                SENT_NONE,
                SENT_SOME,
                SENT_ACCEPT,
                SENT_ACCEPTED,
            )
        ),
    )
    q1, q2 = Var("q1", MAJORITY), Var("q2", MAJORITY)
    meet = forall(
        (q1, q2), exists((_a,), conjunction((Apply(MEMBER, (_a, q1)), Apply(MEMBER, (_a, q2)))))
    )
    majority = Comparison(
        ">", Arithmetic("*", Number(2), Quantity("size", "size")), Quantity("total", "Acceptor")
    )
    ballot_value = Product((Leaf(BALLOT), Leaf(VALUE)))
    ballot_field = FieldLayout("ballot", Leaf(BALLOT), False)
    value_field = FieldLayout("value", Leaf(VALUE), False)
    return Model(
        name="Paxos",
        sorts=(
            SortDeclaration(PROPOSER, "role"),
            SortDeclaration(ACCEPTOR, "role"),
            SortDeclaration(LEARNER, "role"),
            SortDeclaration(VALUE, "opaque"),
            SortDeclaration(BALLOT, "ordered", less=LESS, zero=ZERO, owner=OWNER),
            SortDeclaration(MAJORITY, "quorum", member=MEMBER),
        ),
        symbols=(LESS, ZERO, OWNER, MEMBER, *(update.symbol for update in initial)),
        axioms=(
            Axiom("Ballot: irreflexive", forall((_b,), negation(_below(_b, _b))), "order"),
            Axiom(
                "Ballot: total",
                forall((_b, _c), disjunction((_below(_b, _c), equal(_b, _c), _below(_c, _b)))),
                "order",
            ),
        ),
        initial=initial,
        actions=_paxos_actions(),
        properties=_paxos_properties(),
        quorums=(QuorumLayout(MAJORITY, ACCEPTOR, MEMBER, majority),),
        assumptions=(),
        facts=(Fact("majorities_meet", meet),),
        roles=(
            RoleLayout("Proposer", PROPOSER, False, ()),
            RoleLayout(
                "Acceptor",
                ACCEPTOR,
                False,
                (
                    VariableLayout("promised", "durable", StoredLeaf(PROMISED)),
                    VariableLayout("accepted", "durable", StoredOption(ACCEPTED, ballot_value)),
                ),
            ),
            RoleLayout(
                "Learner",
                LEARNER,
                False,
                (
                    VariableLayout(
                        "votes",
                        "volatile",
                        StoredMap(ballot_value, StoredSet(VOTES, Leaf(ACCEPTOR))),
                    ),
                    VariableLayout("decided", "durable", StoredOption(DECIDED, Leaf(VALUE))),
                ),
            ),
        ),
        ghosts=NO_GHOSTS,
        messages=(
            SignatureLayout(
                "Prepare",
                (ballot_field,),
                (History(SENT_PREPARE, PROPOSER, None, ACCEPTOR, ()),),
            ),
            SignatureLayout(
                "Promise",
                (ballot_field, FieldLayout("accepted", ballot_value, True)),
                (
                    History(SENT_NONE, ACCEPTOR, PROPOSER, None, (False,)),
                    History(SENT_SOME, ACCEPTOR, PROPOSER, None, (True,)),
                ),
            ),
            SignatureLayout(
                "Accept",
                (ballot_field, value_field),
                (History(SENT_ACCEPT, PROPOSER, None, ACCEPTOR, ()),),
            ),
            SignatureLayout(
                "Accepted",
                (ballot_field, value_field),
                (History(SENT_ACCEPTED, ACCEPTOR, None, LEARNER, ()),),
            ),
        ),
        requests=(),
        outputs=(),
    )


def forgetful_paxos() -> Model:
    """Return Paxos whose acceptors vote without looking at what they promised."""
    model = paxos()
    flawed = tuple(
        replace(action, guard=action.guard.operands[0])  # type: ignore[union-attr]
        if action.handler == "on_accept"
        else action
        for action in model.actions
    )
    return replace(model, actions=flawed)
