"""The examples for cluster managers: right in form, and each worker that they start knows which one it is."""

import os
import shutil
import subprocess

import pytest
import yaml

from utils.files import REPO
from utils.workers import cluster, options_of

SLURM, KUBERNETES = REPO / "examples" / "slurm.sh", REPO / "examples" / "kubernetes.yaml"
OPTIONS = {"nodes", "ntasks-per-node", "cpus-per-task", "time", "job-name", "gpus-per-node"}
# The fields of Kubeflow Trainer 2.2 (trainer.kubeflow.org/v1alpha1) that matter here, after its resource definitions.
FIELDS = {
    "TrainJob": {"runtimeRef", "trainer", "initializer", "runtimePatches", "suspend", "managedBy"},
    "TrainingRuntime": {"mlPolicy", "podGroupPolicy", "template"},
    "runtimeRef": {"apiGroup", "kind", "name"},
    "trainer": {"image", "command", "args", "env", "numNodes", "numProcPerNode", "resourcesPerNode"},
    "mlPolicy": {"numNodes", "torch", "mpi", "jax", "xgboost", "flux"},
}
needs_bash = pytest.mark.skipif(shutil.which("bash") is None or os.name == "nt", reason="there is no bash")


def programs(folder, **scripts):
    """A folder with programs that stand in for those of a cluster."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, script in scripts.items():
        (folder / name).write_text(f"#!/bin/bash\n{script}\n")
        (folder / name).chmod(0o755)
    return os.environ | {"PATH": f"{folder}:{os.environ['PATH']}"}


def checked(told):
    """The index of the worker, after its options were read as the program reads them."""
    config, _, given = told.partition("\n")
    options = options_of(given.split()[2:])
    addresses, index = cluster(config)
    assert given.split()[:2] == ["-m", "utils.workers"] and options.lanes % len(addresses) == 0
    return addresses, index


SAY = 'echo "$TF_CONFIG"; echo "$@"'


@needs_bash
@pytest.mark.parametrize("number", [0, 3])
def test_slurm(tmp_path, number):
    assert subprocess.run(["bash", "-n", SLURM]).returncode == 0
    lines = [line for line in SLURM.read_text().splitlines() if line.startswith("#SBATCH")]
    options = dict(line.removeprefix("#SBATCH --").split("=") for line in lines)
    assert set(options) <= OPTIONS and options["ntasks-per-node"] == "1"
    hosts = "\n".join(f"node{host}" for host in range(int(options["nodes"])))
    environment = programs(tmp_path / "bin", scontrol=f"echo '{hosts}'", srun='shift; exec "$@"')
    programs(tmp_path / ".venv" / "bin", python=SAY)
    environment |= {"SLURM_JOB_NODELIST": "node[0-3]", "SLURM_PROCID": str(number), "SLURM_CPUS_PER_TASK": "8"}
    done = subprocess.run(["bash", SLURM], cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=30)
    assert done.returncode == 0, done.stderr
    assert checked(done.stdout) == ([f"node{host}:2222" for host in range(4)], number)


@needs_bash
@pytest.mark.parametrize("number", [0, 3])
def test_kubernetes(tmp_path, number):
    runtime, job = yaml.safe_load_all(KUBERNETES.read_text())
    for found in (runtime, job):
        assert found["apiVersion"] == "trainer.kubeflow.org/v1alpha1"
        assert set(found) == {"apiVersion", "kind", "metadata", "spec"}
        assert set(found["spec"]) <= FIELDS[found["kind"]]
        for name in found["spec"]:
            assert name not in FIELDS or set(found["spec"][name]) <= FIELDS[name], name
    assert job["spec"]["runtimeRef"] == {
        "apiGroup": "trainer.kubeflow.org",
        "kind": runtime["kind"],
        "name": runtime["metadata"]["name"],
    }
    (node,) = runtime["spec"]["template"]["spec"]["replicatedJobs"]
    assert node["template"]["metadata"]["labels"] == {"trainer.kubeflow.org/trainjob-ancestor-step": "trainer"}
    pod = node["template"]["spec"]["template"]["spec"]
    assert [container["name"] for container in pod["containers"]] == [node["name"]] == ["node"]
    mounted = {mount["name"] for container in pod["containers"] for mount in container["volumeMounts"]}
    assert mounted == {volume["name"] for volume in pod["volumes"]}
    environment = programs(tmp_path, python=SAY) | {"JOB_COMPLETION_INDEX": str(number)}
    command = job["spec"]["trainer"]["command"]
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=30)
    assert done.returncode == 0, done.stderr
    addresses, index = checked(done.stdout)
    name, count = job["metadata"]["name"], job["spec"]["trainer"]["numNodes"]
    assert index == number
    assert addresses == [f"{name}-{node['name']}-0-{host}.{name}:2222" for host in range(count)]
