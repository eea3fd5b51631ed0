#!/bin/sh
# A step that keeps a record of its own: step.sh SIDE SECONDS KIND [VALUE]
# Its lock is held by everything that it starts, so that whoever is still alive shows.
side=$1 seconds=$2 kind=$3
step=$MINIPIPE_STEP_ID attempt=$MINIPIPE_ATTEMPT_ID
exec 9>>"$side/$step.lock"
flock -n 9 || echo "overlap $step $attempt" >>"$side/log"
echo "start $step $attempt" >>"$side/log"
case $kind in
    forking) (setsid sleep 300 >/dev/null 2>&1 &) ;;
    scrubbing) (env -i setsid sleep 300 >/dev/null 2>&1 &) ;;
    stubborn) trap '' TERM ;;
    gated) while [ ! -e "$side/gate" ]; do sleep 0.01; done ;;
    reading) echo "value $step $4" >>"$side/log" ;;
    writing) echo "$step" >"written-$step.txt" ;;
    editing) sed -i "s/^line $4\$/line $4 by $step/" shared.txt ;;
    appending) echo "$step" >>shared.txt ;;
    two) echo "$step" >"written-$step.txt"; echo other >"other-$step.txt" ;;
    bad) echo bad >"written-$step.txt" ;;
    learning) if [ -n "$MINIPIPE_FEEDBACK" ]; then echo "good" >"written-$step.txt"; else echo "bad" >"written-$step.txt"; fi ;;
esac
sleep "$seconds"
case $kind in
    flaky) [ "$MINIPIPE_ATTEMPT" -ge 3 ] || exit 1 ;;
    failing) exit 1 ;;
    giving) echo "made=$attempt" >>"$MINIPIPE_OUTPUT" ;;
esac
echo "end $step $attempt" >>"$side/log"
