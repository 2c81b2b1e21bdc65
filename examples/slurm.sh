#!/bin/bash
# The training of notebook 11 on four machines of a Slurm cluster: sbatch examples/slurm.sh
# Submit it from the folder of the course, with its environment in .venv on a disk that all machines see.
#SBATCH --job-name=captchas
#SBATCH --nodes=4
#SBATCH --ntasks-per-node=1
#SBATCH --cpus-per-task=8
#SBATCH --time=02:00:00
# One GPU for each worker, if there are any:
##SBATCH --gpus-per-node=1
set -euo pipefail

hosts=$(scontrol show hostnames "$SLURM_JOB_NODELIST" | sed 's/.*/"&:2222"/' | paste -sd,)
export hosts
export SRUN_CPUS_PER_TASK=$SLURM_CPUS_PER_TASK  # since Slurm 22.05, srun does not take it from above

# Each task learns from its number which worker it is. If one fails, Slurm ends the others.
srun --kill-on-bad-exit=1 bash -c '
    export TF_CONFIG="{\"cluster\": {\"worker\": [$hosts]}, \"task\": {\"type\": \"worker\", \"index\": $SLURM_PROCID}}"
    exec .venv/bin/python -m utils.workers --lanes 8 -p epochs 15 -p workspace workspace/full
'
