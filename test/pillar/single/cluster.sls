# One host with every role of Slurm.
slurm_galaxy:
  cluster: single
  hosts:
    single.lab.test: {roles: [dbd, controller, exec, submit]}
  slurm:
    training: true  # config_overrides is meant
    wait: 90
    config:
      # A container sees the CPUs and the memory of the machine that it runs on, and owns no cgroup.
      SlurmdParameters: config_overrides
      ProctrackType: proctrack/linuxproc
      TaskPlugin: task/none
    cgroup:
      CgroupPlugin: disabled
    nodes:
      - {NodeName: single, CPUs: 2, RealMemory: 1000}
    partitions:
      - {PartitionName: main, Nodes: single, Default: true, MaxTime: '1-00:00:00'}
