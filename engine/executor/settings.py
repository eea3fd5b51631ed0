"""What a run was started with, resolved once from flags, plan and configuration, and kept with the run.

A run that is resumed, by another process or another version of the configuration, goes on under the same settings.
"""

import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from typing import Any, Self

from engine.config.keys import Config
from engine.errors import ConfigError
from engine.patches.judgement import Rules
from engine.patches.limits import PatchLimits
from engine.plan.plan import Isolation, OrchestrationMode, Plan, RolloutMode

ORCHESTRATION_MODES: tuple[OrchestrationMode, ...] = ("sequential", "parallel", "hybrid")


@dataclass(frozen=True, slots=True)
class RunSettings:
    max_concurrent: int = 4
    orchestration_mode: OrchestrationMode = "parallel"
    mode: RolloutMode = "production"
    isolation: Isolation = "step"
    retries: int = 0
    timeout_seconds: float | None = 3600.0
    grace_seconds: float = 3.0
    log_cap_bytes: int = 16 * 1024 * 1024
    fail_fast: bool = False
    crash_loop_limit: int = 20
    cpu: float = 1.0
    memory_mb: int = 1024
    labels: tuple[str, ...] = ()
    env_allow: tuple[str, ...] = ()
    worktree_cap: int = 0
    archive_on_failure: bool = True
    review_score: int = 50
    max_files: int = 1000
    max_patch_bytes: int = 16 * 1024 * 1024
    allow_filters: tuple[str, ...] = ()
    pilot_share: int = 20
    subject: str = "{plan}: {step}"
    sign_commits: bool = False
    run_hooks: bool = False

    def rules(self, *, include: Sequence[str] = (), exclude: Sequence[str] = (), secrets: Sequence[str] = ()) -> Rules:
        """What changes are judged by."""
        return Rules(
            include=tuple(include),
            exclude=tuple(exclude),
            limits=PatchLimits(max_files=self.max_files, max_bytes=self.max_patch_bytes),
            allow_filters=self.allow_filters,
            secrets=tuple(secrets),
        )

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_dict(cls, kept: Mapping[str, Any]) -> Self:
        """Read what `as_dict` gave, also by a version that knew more or fewer settings."""
        known = {field.name for field in fields(cls)}
        values: dict[str, Any] = {
            name: tuple(value) if isinstance(value, list) else value for name, value in kept.items()
        }
        return cls(**{name: value for name, value in values.items() if name in known})


def settings_for(
    plan: Plan,
    config: Config | None = None,
    *,
    max_concurrent: int | None = None,
    orchestration_mode: OrchestrationMode | None = None,
    mode: RolloutMode | None = None,
) -> RunSettings:
    """What a run of this plan is to be started with: the arguments first, then the plan, then the configuration."""
    chosen, common = (config or Config()).run, plan.globals
    seconds = chosen.timeout_seconds if common.timeout_seconds is None else common.timeout_seconds
    return RunSettings(
        max_concurrent=max_concurrent or common.max_concurrent_steps or chosen.max_concurrent_steps,
        orchestration_mode=orchestration_mode or common.orchestration_mode or _mode(chosen.orchestration_mode),
        mode=mode or common.mode or "production",
        isolation=_isolation(plan, config or Config()),
        retries=chosen.retries if common.retries is None else common.retries,
        timeout_seconds=seconds or None,
        grace_seconds=chosen.grace_seconds,
        log_cap_bytes=chosen.log_cap_mb * 1024 * 1024,
        fail_fast=common.fail_fast,
        crash_loop_limit=chosen.crash_loop_limit,
        cpu=float(chosen.cpu or os.cpu_count() or 1),
        memory_mb=chosen.memory_mb or _memory_mb(),
        labels=chosen.labels,
        env_allow=chosen.env_allow,
        **_patch_settings(config or Config()),
    )


def _patch_settings(config: Config) -> dict[str, Any]:
    """What decides about changes, by the names of our fields."""
    return {
        "worktree_cap": config.worktrees.max,
        "archive_on_failure": config.worktrees.archive_on_failure,
        "review_score": config.patches.review_score,
        "max_files": config.patches.max_files,
        "max_patch_bytes": config.patches.max_mb * 1024 * 1024,
        "allow_filters": config.patches.allow_filters,
        "pilot_share": config.patches.pilot_share,
        "subject": config.commits.subject,
        "sign_commits": config.commits.sign,
        "run_hooks": config.commits.hooks,
    }


def _isolation(plan: Plan, config: Config) -> Isolation:
    if plan.globals.is_isolation_given or config.worktrees.enabled:
        return plan.globals.isolation
    return "none"


def _mode(text: str) -> OrchestrationMode:
    for known in ORCHESTRATION_MODES:
        if known == text:
            return known
    raise ConfigError(f"run.orchestration_mode is {text!r}", hint=f"one of {', '.join(ORCHESTRATION_MODES)}")


def _memory_mb() -> int:
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // (1024 * 1024)
