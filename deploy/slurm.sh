#!/usr/bin/env bash
# Sends one load from every task of a Slurm job, and judges the sum. What is given to it goes to msgext load; more tasks and nodes
# are sbatch's to ask for:
#
#   sbatch --nodes=8 --ntasks=8 deploy/slurm.sh --target target.yaml --rate 150/s --for 60s
#
# START_IN is how many seconds the tasks have to get ready. All is in reports/<job id> of the folder that sbatch was called in.
#SBATCH --job-name=msgext
#SBATCH --ntasks=4
#SBATCH --cpus-per-task=1
#SBATCH --time=30
set -euo pipefail

out=reports/$SLURM_JOB_ID
start_at=$(($(date +%s) + ${START_IN:-30}))

# A task that could not send says so in its part, and what that is worth is merge's to say.
srun msgext load "$@" --shard auto --start-at "$start_at" --out "$out" || true

exec msgext merge "$out"/load --out "$out"
