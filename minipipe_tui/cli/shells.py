"""Completion scripts for three shells, from one grammar.

The scripts are static: only ids are asked for while completing, and a failing answer means none. In bash
and zsh one function finds the place by walking the words typed so far; fish is told rules, one a line.
"""

from collections.abc import Iterable, Iterator

from minipipe_tui.cli.grammar import FILES, PATCHES, RUNS, Option, Place

# A shell expands the words that it is offered, so nothing but ids may come through.
_IDS = {
    RUNS: "minipipe runs --ids 2>/dev/null | grep -xE 'run_[0-9A-Za-z]+'",
    PATCHES: "minipipe patch list --ids 2>/dev/null | grep -xE 'pat_[0-9A-Za-z]+'",
}
_ASK_FOR_IDS = "\n".join(
    f'  [[ " $values " == *" {kind} "* ]] && values="$values $({ask})"' for kind, ask in _IDS.items()
)
_FORGET_KINDS = "\n".join(f'  values="${{values//{kind}/}}"' for kind in (FILES, *_IDS))


def bash(places: list[Place]) -> Iterator[str]:
    yield "# minipipe completion for bash"
    yield from _tables(places)
    yield f"""\
_minipipe() {{
  local word place="" option="" values i
  COMPREPLY=()
  for ((i = 1; i < COMP_CWORD; i++)); do
    word="${{COMP_WORDS[i]}}"
    _minipipe_is_place "$place$word" && place="$place$word "
  done
  word="${{COMP_WORDS[COMP_CWORD]}}"
  ((COMP_CWORD > 1)) && option="${{COMP_WORDS[COMP_CWORD-1]}}"
  if [[ "$option" != -* ]] || ! values="$(_minipipe_option "$place$option")"; then
    values="$(_minipipe_place "$place")"
    [[ "$word" == -* ]] && values="$(_minipipe_options "$place")"
  fi
{_ASK_FOR_IDS}
  if [[ " $values " == *" {FILES} "* ]]; then
    compopt -o filenames 2>/dev/null
    while IFS= read -r i; do COMPREPLY+=("$i"); done < <(compgen -f -- "$word")
  fi
{_FORGET_KINDS}
  while IFS= read -r i; do COMPREPLY+=("$i"); done < <(compgen -W "$values" -- "$word")
}}
complete -F _minipipe minipipe"""


def zsh(places: list[Place]) -> Iterator[str]:
    yield "#compdef minipipe"
    yield from _tables(places)
    yield f"""\
_minipipe() {{
  local word place="" option="" values i
  for ((i = 2; i < CURRENT; i++)); do
    word="${{words[i]}}"
    _minipipe_is_place "$place$word" && place="$place$word "
  done
  word="${{words[CURRENT]}}"
  ((CURRENT > 2)) && option="${{words[CURRENT-1]}}"
  if [[ "$option" != -* ]] || ! values="$(_minipipe_option "$place$option")"; then
    values="$(_minipipe_place "$place")"
    [[ "$word" == -* ]] && values="$(_minipipe_options "$place")"
  fi
{_ASK_FOR_IDS}
  [[ " $values " == *" {FILES} "* ]] && _files
{_FORGET_KINDS}
  compadd -- ${{=values}}
}}
if [[ "$funcstack[1]" == _minipipe ]]; then _minipipe "$@"; else compdef _minipipe minipipe; fi"""


def fish(places: list[Place]) -> Iterator[str]:
    yield "# minipipe completion for fish"
    yield """\
function __minipipe_words
    set -l typed (commandline -opc)
    string match -v -- '-*' $typed[2..-1]
end
function __minipipe_at --description 'exactly these commands were typed'
    set -l words (__minipipe_words)
    test "$words" = "$argv"
end
function __minipipe_in --description 'these commands were typed, and perhaps more'
    set -l words (__minipipe_words)
    test (count $words) -ge (count $argv); or return 1
    set -l first $words[1..(count $argv)]
    test "$first" = "$argv"
end
complete -c minipipe -f"""
    for place in places:
        yield from _fish_rules(place)


def _tables(places: Iterable[Place]) -> Iterator[str]:
    """The grammar as functions of one `case` each; a place is named by its words, each with a space after."""
    places = list(places)
    deeper = [" ".join(place.path) for place in places if place.path]
    yield from _function("is_place", [(_quoted(deeper), "return 0")], "return 1")
    yield from _function("place", [_echo(place.path, _words(place)) for place in places])
    yield from _function("options", [_echo(place.path, _option_words(place)) for place in places])
    valued = [(place, option) for place in places for option in place.options if option.takes_value]
    yield from _function("option", [_echo_value(place, option) for place, option in valued], "return 1")


def _function(name: str, cases: Iterable[tuple[str, str]], otherwise: str = "return 0") -> Iterator[str]:
    yield f"_minipipe_{name}() {{"
    yield '  case "$1" in'
    for pattern, action in cases:
        yield f"    {pattern}) {action} ;;"
    yield f"    *) {otherwise} ;;"
    yield "  esac"
    yield "}"


def _quoted(patterns: Iterable[str]) -> str:
    return "|".join(f'"{pattern}"' for pattern in patterns)


def _key(path: tuple[str, ...]) -> str:
    return "".join(f"{word} " for word in path)


def _echo(path: tuple[str, ...], words: str) -> tuple[str, str]:
    return _quoted([_key(path)]), f"printf '%s\\n' '{words}'"


def _echo_value(place: Place, option: Option) -> tuple[str, str]:
    return _quoted(_key(place.path) + name for name in option.names), f"printf '%s\\n' '{option.value}'"


def _words(place: Place) -> str:
    """What may come next when no option is being typed; options only where there is nothing else."""
    words = " ".join([*(name for name, _ in place.children), place.value]).strip()
    return words or _option_words(place)


def _option_words(place: Place) -> str:
    return " ".join(name for option in place.options for name in option.names)


def _fish_rules(place: Place) -> Iterator[str]:
    path = " ".join(place.path)
    for name, text in place.children:
        yield f"complete -c minipipe -n '__minipipe_at {path}' -a {name} -d {_fish_text(text)}"
    start = f"complete -c minipipe -n '__minipipe_{'in' if path else 'at'} {path}'"
    if place.value:
        yield f"{start} {_fish_value(place.value)}"
    for option in place.options:
        names = " ".join(_fish_name(name) for name in option.names)
        value = f" -r {_fish_value(option.value)}".rstrip() if option.takes_value else ""
        yield f"{start} {names}{value} -d {_fish_text(option.help)}"


def _fish_name(name: str) -> str:
    return f"-l {name[2:]}" if name.startswith("--") else f"-s {name[1:]}"


def _fish_value(value: str) -> str:
    words = [f"({_IDS[word]})" if word in _IDS else word for word in value.split() if word != FILES]
    files = ["-F"] if FILES in value.split() else []
    return " ".join([*files, *([f"-a {_fish_text(' '.join(words))}"] if words else [])])


def _fish_text(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"
