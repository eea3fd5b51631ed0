"""What a step leaves becomes exactly the commit that `git add --all` makes of it in a clone, with git's own numbers."""

import os
import subprocess
from collections.abc import Callable

import pytest

from tests.journeys.lab import Repo

NAMES = r"""
for name in 'q"u"o' "q'u" './-lead' './:(top)x' ':!neg' 'g*[b]?' ' sp ace ' 'ünï' './#h' '!bang' '~t' '%s' '{a,b}'; do
  printf x > "$name"
done
printf x > "$(printf 'a\nb')"; printf x > "$(printf 't\tb')"; printf 'x\377' > "$(printf 'n\377\376')"
"""
PRESERVED = """python3 -c '
import os
was = os.stat("a.txt")
with open("a.txt", "r+") as file: file.write("ONE")
os.utime("a.txt", ns=(was.st_atime_ns, was.st_mtime_ns))'
"""

SCRIPTS = {
    "binary": r'printf "\000\001\002" > new.bin; printf "\000" >> data.bin',
    "modes": "chmod -x run.sh; chmod +x a.txt",
    "renames": "mv long.txt moved.txt; mv other.txt lib/moved.txt; echo extra >> lib/moved.txt",
    "links": "rm a.txt; ln -s run.sh a.txt; rm link; echo file > link; ln -s nowhere new; ln -s lib folder",
    "empty files": ": > e1; : > nonl.txt; echo x > empty.txt",
    "no newline at the end": r'printf "x\ny" > nonl.txt; printf "one\ntwo\nthree" > a.txt',
    "line ends": r'printf "a\r\nB\r\n" > crlf.txt; printf "q\r\nz\n" > mixed; printf "\r" > cr',
    "names": NAMES,
    "folder and file change places": "rm -r lib; echo now > lib; rm a.txt; mkdir a.txt; echo z > a.txt/z",
    "case": "mv a.txt A.txt; mkdir new; echo x > new/x",
    "ignored": "echo x > a.log; mkdir build; echo z > build/o; echo ok > fine",
    "other rules of what to ignore": r'printf "fine*\n" > .gitignore; echo x > a.log; echo y > fine1; echo z > z',
    "everything ignored": r'printf "*\n" > .gitignore; echo x > new; echo y >> a.txt',
    "unreadable": "echo s > secret; chmod 000 secret; mkdir d; echo q > d/q; chmod 000 d",
    "time and size as before": PRESERVED,
    "its own commits": "echo c >> a.txt; git commit -qam mine; echo d >> a.txt; git commit -qam more; echo e > f",
    "staged and taken back": "echo c > f1; git reset -q --hard; git rm -q a.txt; echo x > a.txt; git add -N a.txt",
    "back in history": "git reset -q --hard HEAD~1; echo z > f2",
    "an index with conflicts": "git checkout -q HEAD~1 -- a.txt; git stash -q; echo z > a.txt",
    "no index": 'rm "$(git rev-parse --git-path index)"; echo s >> a.txt',
    "hard links": "ln a.txt twin; echo q >> a.txt",
    "many": "mkdir m; for i in $(seq 900); do echo $i > m/f$i; done",
    "deep": "p=$(printf 'd/%.0s' $(seq 100)); mkdir -p $p; echo x > ${p}f",
    "all gone": "git ls-files -z | xargs -0 rm -f",
}


@pytest.fixture
def full(repo: Repo) -> Repo:
    """A repository with a file of every kind, and two commits."""
    lines = "".join(f"line {number}\n" for number in range(40))
    repo.write(
        {
            "data.bin": bytes(range(256)) * 8,
            "run.sh": "#!/bin/sh\n",
            "long.txt": lines,
            "other.txt": lines.replace("line", "row"),
            "crlf.txt": b"a\r\nb\r\n",
            "nonl.txt": "x",
            "empty.txt": "",
            "latin.txt": b"caf\xe9\n",
            ".gitignore": "*.log\nbuild/\n",
        }
    )
    (repo.path / "run.sh").chmod(0o755)
    (repo.path / "link").symlink_to("a.txt")
    repo.commit("all kinds")
    return repo


def plainly_added(repo: Repo, shell: str) -> str:
    """The tree that git itself makes of a script in a plain clone."""
    clone = repo.beside / "plain"
    repo.git("clone", "--quiet", "--no-local", repo.path, clone)
    base = repo.head()
    subprocess.run(["sh", "-c", shell], cwd=clone, env=repo.environ, capture_output=True, check=False)
    subprocess.run(["chmod", "-R", "u+rwX", "."], cwd=clone, check=True)
    # As a step's worktree, the clone is at its base however it moved its own HEAD and index.
    repo.git("update-ref", "--no-deref", "HEAD", base, cwd=clone)
    repo.git("read-tree", "HEAD", cwd=clone)
    repo.git("add", "--all", cwd=clone)
    return repo.line("write-tree", cwd=clone)


def stats_of_git(repo: Repo, old: str, new: str) -> dict[str, int]:
    """What `git diff` counts between two commits."""
    raw = repo.git("diff", "--raw", "-M", old, new).decode(errors="replace").splitlines()
    kinds = [line.split(" ")[4][0] for line in raw]
    numbers = [line.split(b"\t")[:2] for line in repo.git("diff", "--numstat", "-M", old, new).splitlines()]
    return {
        "files_added": kinds.count("A"),
        "files_deleted": kinds.count("D"),
        "files_renamed": kinds.count("R"),
        "files_modified": kinds.count("M") + kinds.count("T"),
        "lines_added": sum(int(added) for added, _ in numbers if added != b"-"),
        "lines_deleted": sum(int(deleted) for _, deleted in numbers if deleted != b"-"),
        "binary_files": sum(added == b"-" for added, _ in numbers),
    }


@pytest.mark.parametrize("name", SCRIPTS)
def test_a_capture_is_what_git_makes_of_it(name: str, full: Repo) -> None:
    ended = full.run(SCRIPTS[name], words=("--target", "none"))
    assert ended.code in (0, 3), (ended.out, ended.err)
    (patch,) = full.patches()
    commit = full.head(f"refs/minipipe/patches/{patch['patch_id']}")
    assert full.tree(commit) == plainly_added(full, SCRIPTS[name])
    assert full.head(f"{commit}~1") == full.head()
    assert patch["diff_stats"] == {**patch["diff_stats"], **stats_of_git(full, full.head(), commit)}
    assert full.is_sound()


HIDDEN = "git update-index --skip-worktree a.txt; git update-index --assume-unchanged lib/b.txt; echo s >> a.txt; "


@pytest.mark.parametrize(
    "shell",
    [
        pytest.param(HIDDEN + "echo t >> lib/b.txt", id="said to be unchanged"),
        pytest.param("echo s >> a.txt; echo t >> lib/b.txt; mkfifo p lib/.gitignore", id="fifos"),
        pytest.param("mkdir -p x/.git; echo s >> a.txt; echo t >> lib/b.txt; git worktree prune", id="an empty .git"),
    ],
)
def test_no_trick_hides_a_change(shell: str, repo: Repo) -> None:
    ended = repo.run(shell)
    assert ended.code == 0, ended.out
    assert repo.git("diff", "--name-only", "HEAD~1", "HEAD") == b"a.txt\nlib/b.txt\n"


@pytest.mark.parametrize("shell", ["rm .git", "rm .git; git init -q; git add -A; git commit -qm x"])
def test_a_step_that_loses_its_git_file_fails_and_its_change_is_kept_aside(shell: str, repo: Repo) -> None:
    before = repo.head()
    assert repo.run(f"echo 1 >> a.txt; {shell}").code == 1
    assert repo.head() == before
    (kept,) = repo.git("for-each-ref", "--format=%(refname)", "refs/minipipe/archive").decode().split()
    assert repo.git("diff", "--name-only", before, kept) == b"a.txt\n"
    assert repo.run("git rev-parse --show-toplevel && echo 2 >> a.txt").code == 0
    assert repo.content("a.txt").endswith(b"2\n")


# -- what is not taken -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("shell", "told"),
    [
        ("git init -q sub; cd sub; git commit -q --allow-empty -m x", "submodule.changed"),
        ("echo x > A.TXT", "path.twin"),
        ("printf x > a:b", "path.drive"),
        ("ln -s ../../outside l", "link.outside"),
        ("ln -s /etc/passwd l", "link.absolute"),
        ("head -c 52428800 /dev/zero > big", "limit.bytes"),
        ("mkdir m; for i in $(seq 5000); do echo $i > m/f$i; done", "limit.files"),
    ],
)
def test_what_must_not_be_taken_is_quarantined_and_kept(shell: str, told: str, repo: Repo) -> None:
    before = repo.head()
    assert repo.run(shell).code == 4
    (patch,) = repo.patches()
    assert patch["state"] == "quarantined"
    assert told in patch["reason"]
    assert repo.head(f"refs/minipipe/patches/{patch['patch_id']}~1") == before == repo.head()


def test_a_repository_without_a_commit_is_named_and_its_files_are_kept(repo: Repo) -> None:
    ended = repo.run("git init -q sub; echo x > sub/f")
    assert ended.code == 1
    assert "'sub/' does not have a commit checked out" in repo.minipipe("show", "last").out
    run_id = ended.document["run_id"]
    assert repo.content("sub/f", f"refs/minipipe/archive/{run_id}/s1.1") == b"x\n"


def test_a_step_that_removes_its_worktree_has_failed(repo: Repo) -> None:
    before = repo.head()
    assert repo.run('here=$PWD; cd /; rm -rf "$here"').code == 1
    assert repo.run('here=$PWD; cd /; mv "$here" "$here.moved"; mkdir "$here"; echo x > "$here/x"').code == 1
    assert repo.head() == before
    assert repo.run("echo fine > fine").code == 0


def test_nobody_writes_after_the_end_of_a_step(repo: Repo) -> None:
    writer = "(setsid sh -c 'while :; do echo x >> late; sleep 0.01; done' &); echo s >> a.txt"
    assert repo.run({"id": "a", "shell": writer}, {"id": "b", "depends_on": ["a"], "shell": "sleep 0.2"}).code == 0
    (patch,) = repo.patches()
    assert repo.tree() == repo.tree(f"refs/minipipe/patches/{patch['patch_id']}")


# -- what is not a step's own ----------------------------------------------------------------------------

COMMON = "$(git rev-parse --git-common-dir)"


@pytest.mark.parametrize(
    ("shell", "told"),
    [
        ("git config --local foo.bar 1", "settings"),
        (f"mkdir -p {COMMON}/info; echo 'hidden*' >> {COMMON}/info/exclude", "settings"),
        (f"mkdir -p {COMMON}/info; echo '* -diff' >> {COMMON}/info/attributes", "settings"),
        (f"git config --file {COMMON}/config.worktree a.b c", "settings"),
        (f"mkdir -p {COMMON}/hooks; echo x > {COMMON}/hooks/post-commit", "hooks"),
        ("git tag t", "refs/tags/t was made"),
        (r'git tag "$(printf "t\377")"', "refs/tags/t"),
        ("git branch -q -D other", "refs/heads/other was deleted"),
        ("git symbolic-ref HEAD refs/heads/main; git commit -qam x", "refs/heads/main was moved"),
        ("git replace HEAD:a.txt HEAD:lib/b.txt", "refs/replace/"),
        ("echo x > y; git stash -q -u; echo w > w", "refs/stash was made"),
        ("git stash pop -q; git checkout -q HEAD -- lib", "refs/stash was deleted"),
    ],
)
def test_what_a_step_does_to_the_repository_is_told_and_the_branch_is_left(shell: str, told: str, repo: Repo) -> None:
    repo.git("branch", "other")
    if "pop" in shell:
        repo.write({"lib/b.txt": "precious\n"})
        repo.git("stash", "--quiet")
    ended = repo.run(f"echo s >> a.txt; {shell}; true")
    assert ended.code == 1, (ended.out, ended.err)
    assert any(told in warning for warning in repo.warnings()), repo.warnings()
    assert told in ended.document["promotion"]["reason"]
    if "symbolic-ref" not in shell:
        assert repo.minipipe("promote", "last").code == 0


def test_what_the_user_puts_on_the_stash_meanwhile_is_no_steps_doing(repo: Repo) -> None:
    go, at_work = repo.beside / "go", repo.beside / "at-work"
    step = f"touch {at_work}; while [ ! -e {go} ]; do sleep 0.01; done; echo s >> a.txt"
    process = repo.start("run", repo.plan(step), "--no-ui", "--json")
    repo.wait_until(at_work.exists)
    repo.write({"lib/b.txt": "mine\n"})
    repo.git("stash", "--quiet")
    go.touch()
    out, err = process.communicate(timeout=60)
    assert process.returncode == 0, (out, err)
    assert repo.warnings() == []


@pytest.mark.parametrize(
    "shell",
    [
        "git checkout -q other",
        "git symbolic-ref HEAD refs/heads/main",
        "git checkout -q other; git rebase -q main; true",
    ],
)
def test_a_branch_that_a_step_checked_out_is_free_for_the_user_again(shell: str, repo: Repo) -> None:
    repo.git("checkout", "--quiet", "-b", "other")
    repo.commit("theirs", **{"a.txt": "theirs\n"})
    repo.git("checkout", "--quiet", "main")
    repo.commit("ours", **{"a.txt": "ours\n"})
    repo.run({"id": "a", "shell": f"{shell}; echo x > x", "critical": False})
    repo.git("checkout", "--quiet", "other")
    repo.git("checkout", "--quiet", "main")
    assert repo.run("echo y > y").document["promotion"]["state"] == "done"


def test_the_environment_of_git_leads_nowhere_else(repo: Repo, make: Callable[..., Repo]) -> None:
    other = make("other")
    env = {"GIT_DIR": str(other.path / ".git"), "GIT_WORK_TREE": str(other.path), "GIT_INDEX_FILE": os.devnull}
    ended = repo.minipipe("run", repo.plan("echo x > x; git add x; git status"), "--no-ui", env=env)
    assert ended.code == 0, ended.err
    assert repo.files() == ["a.txt", "lib/b.txt", "x"]
    assert other.git("status", "--porcelain") == b""
