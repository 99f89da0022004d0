"""Mending: a text with mistakes to diagnostics and a text without.

The tokens are walked through the parser's automaton, which says at each whether it can come
next. Where one cannot, the repairs of `repairs.py` are tried: each is a small change with the
diagnostic it would deserve, and the first with which the automaton can go on is taken. Where
none helps, the logical line is cut out, and a `MISTAKE` token, which the grammar allows wherever a
declaration, a part of a role or a statement can stand, takes its place. If the line opened a
block, the block is still read, as the kind of block that the line's first word opens. So one
mistake gives one diagnostic, and the lines after it are looked at as if it had not been.

(Panic mode at phrase level, after Susan L. Graham and Steven P. Rhodes, Practical syntactic error
recovery, 1975; the forward trial is theirs too.)
"""

from __future__ import annotations

from lark import Token

from compiler.diagnostics import Diagnostic, Diagnostics, Source
from compiler.syntax import repairs
from compiler.syntax.automaton import END, Automaton, Stack
from compiler.syntax.layout import DEDENT, INDENT, NEWLINE
from compiler.syntax.problems import report_problems
from compiler.syntax.repairs import Place, Repair
from compiler.syntax.words import can_be_name, colon_before_role, is_name_here, opens_comprehension

MISTAKE = "MISTAKE"
MISTAKEN = {
    "ROLE": "MISTAKEN_ROLE",
    "STATE": "MISTAKEN_STATE",
    "ON": "MISTAKEN_HANDLER",
    "IF": "MISTAKEN_IF",
    "ELIF": "MISTAKEN_ELIF",
    "ELSE": "MISTAKEN_ELSE",
    "FOR": "MISTAKEN_HANDLER",
}
"""For the first word of a line that opens a block: what stands for the line if it is mistaken."""


def mend(
    tokens: list[Token], automaton: Automaton, source: Source, diagnostics: Diagnostics
) -> list[Token]:
    """Return tokens that the parser accepts, recording a diagnostic for each mistake."""
    lines = report_problems(tokens, source, diagnostics)
    return _Mender(lines.tokens, lines.broken, automaton, source, diagnostics).run()


class _Mender:
    def __init__(
        self,
        tokens: list[Token],
        broken: set[int],
        automaton: Automaton,
        source: Source,
        diagnostics: Diagnostics,
    ) -> None:
        self.tokens = tokens
        self.broken = broken
        self.automaton = automaton
        self.source = source
        self.diagnostics = diagnostics
        self.stack = automaton.begin()
        self.output: list[Token] = []
        self.before: list[Stack] = []  # the stack before each token of the output
        self.index = 0
        self.line = 0  # the number of the logical line
        self.line_start = 0  # where it begins in the tokens
        self.line_output = 0  # and in the output
        self.misplaced: tuple[int, str] | None = None  # the last misplaced line, where it belongs

    def run(self) -> list[Token]:
        """Walk to the end of the file."""
        while True:
            at_end = self.index >= len(self.tokens)
            token = self._end_token() if at_end else self._read(self.index, self.stack)
            if not self._colon_forgotten(token):
                stack = self.automaton.after(self.stack, token.type)
                if stack is not None:
                    if at_end:
                        return self.output
                    self._push(token, stack)
                    self._advance()
                    continue
            if not self._repair(token):
                self._cut_out(token)

    # --- walking -------------------------------------------------------------------------

    def _end_token(self) -> Token:
        last = self.tokens[-1] if self.tokens else Token(NEWLINE, "", 0, 1, 1, 1, 1, 0)
        return Token.new_borrow_pos(END, "", last)

    def _push(self, token: Token, stack: Stack) -> None:
        self.output.append(token)
        self.before.append(self.stack)
        self.stack = stack

    def _advance(self) -> None:
        """Go to the next token, which begins a logical line after one of the layout."""
        passed = self.tokens[self.index].type
        self.index += 1
        if passed == NEWLINE:
            self.line += 1
        if passed in {NEWLINE, INDENT, DEDENT}:
            self._mark_line_start()

    def _mark_line_start(self) -> None:
        self.line_start = self.index
        self.line_output = len(self.output)

    def _read(self, index: int, stack: Stack) -> Token:
        """Return the token at `index` as what it is after `stack`: a keyword may be a name."""
        token = self.tokens[index]
        kind = token.type
        if kind == "LBRACE" and opens_comprehension(self.tokens, index):
            kind = "_COMPREHENSION"
        elif kind == "COLON" and colon_before_role(self.tokens, index):
            kind = "_SENDER_COLON"
        elif (
            kind != "NAME"
            and can_be_name(token)
            and self.automaton.accepts(stack, "NAME")
            and (not self.automaton.accepts(stack, kind) or is_name_here(self.tokens, index))
        ):
            kind = "NAME"
        return token if kind == token.type else Token.new_borrow_pos(kind, str(token), token)

    def _back_to(self, place: int) -> None:
        """Take back the output from `place` on."""
        if place < len(self.output):
            self.stack = self.before[place]
            del self.output[place:]
            del self.before[place:]

    # --- repairs -------------------------------------------------------------------------

    def _colon_forgotten(self, token: Token) -> bool:
        """Whether a line that may end here opens a block and only lacks the colon for it.

        `state S` and `role R` are complete without a body, so the automaton does not object.
        """
        following = self.tokens[self.index + 1 : self.index + 2]
        return (
            token.type == NEWLINE
            and bool(following)
            and following[0].type == INDENT
            and self.automaton.accepts(self.stack, "COLON")
        )

    def _repair(self, token: Token) -> bool:
        """Apply the first repair with which the line can be read on, if there is one."""
        place = self._place(token)
        for repair in repairs.proposed(place, broken=self.line in self.broken):
            if self._succeeds(repair):
                self._apply(repair)
                return True
        return False

    def _place(self, token: Token) -> Place:
        return Place(
            self.tokens,
            self.index,
            self.line_start,
            token,
            self.output,
            self.line_output,
            self.stack,
            self.before,
            self.automaton,
            self.source,
        )

    def _succeeds(self, repair: Repair) -> bool:
        kept = len(self.output) - repair.take_back
        stack: Stack | None = self.before[kept] if repair.take_back else self.stack
        for token in repair.insert:
            stack = self.automaton.after(stack, token.type) if stack is not None else None
        if stack is None:
            return False
        index = self.index + repair.skip
        for place in range(index, min(index + repair.enough, len(self.tokens))):
            token = self._read(place, stack)
            following = self.automaton.after(stack, token.type)
            if following is None:
                return False
            if token.type == NEWLINE:
                return True
            stack = following
        return True

    def _apply(self, repair: Repair) -> None:
        if repair.diagnostic is not None and self.line not in self.broken:
            self.diagnostics.items.append(repair.diagnostic)
        self._back_to(len(self.output) - repair.take_back)
        for token in repair.insert:
            stack = self.automaton.after(self.stack, token.type)
            assert stack is not None, "a repair was taken that the automaton does not accept"
            self._push(token, stack)
        if repair.drop_block_end:
            self._drop_block_end()
            self.broken.add(self.line)
        for _ in range(repair.skip):
            self._advance()

    def _drop_block_end(self) -> None:
        """Delete the DEDENT that belongs to the INDENT at the present place."""
        end = self._block_end(self.index)
        if end < len(self.tokens):
            del self.tokens[end]

    def _block_end(self, index: int) -> int:
        """Return the index of the DEDENT that ends the block whose INDENT is at `index`."""
        depth = 0
        for place in range(index, len(self.tokens)):
            depth += {INDENT: 1, DEDENT: -1}.get(self.tokens[place].type, 0)
            if depth == 0:
                return place
        return len(self.tokens)

    # --- cutting out ---------------------------------------------------------------------

    def _goes_on(self, diagnostic: Diagnostic) -> bool:
        """Whether the line before was misplaced just like this one: then one report is enough."""
        _, stands, where = (diagnostic.help or "").partition(" stands in ")
        before, self.misplaced = self.misplaced, (self.line, where) if stands else None
        return before is not None and before == (self.line - 1, where)

    def _cut_out(self, token: Token) -> None:
        """Report what can't be repaired, and put a `MISTAKE` in the place of its line."""
        if self.line not in self.broken:
            diagnostic = repairs.unreadable(self._place(token))
            if diagnostic is not None and not self._goes_on(diagnostic):
                self.diagnostics.items.append(diagnostic)
        self._back_to(self.line_output)
        end = self.index
        while end < len(self.tokens) and self.tokens[end].type != NEWLINE:
            end += 1
        opens = end + 1 < len(self.tokens) and self.tokens[end + 1].type == INDENT
        first = self.tokens[self.line_start]
        kinds = [MISTAKE]
        if opens and first.type in MISTAKEN:
            # An `elif` that follows no `if` still opens a block of statements.
            kinds = [MISTAKEN[first.type], "MISTAKEN_HANDLER", MISTAKE]
        for kind in kinds:
            stack = self.automaton.after(self.stack, kind)
            if stack is not None:
                self._push(Token.new_borrow_pos(kind, str(first), first), stack)
                break
        if kind != MISTAKE:
            self.index = end
            return
        if opens:
            end = self._block_end(end + 1)
            self.line += sum(t.type == NEWLINE for t in self.tokens[self.index + 1 : end])
        self.line += 1
        self.index = min(end + 1, len(self.tokens))
        self._mark_line_start()
