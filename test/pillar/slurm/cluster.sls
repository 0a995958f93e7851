# A cluster without Galaxy: a head that is controller, accounting and submit host, and two nodes.
slurm_galaxy:
  cluster: lab
  hosts:
    head.lab.test: {roles: [controller, dbd, submit]}
    'node*.lab.test': {roles: [exec]}
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
      - {NodeName: 'node[1-2]', CPUs: 2, RealMemory: 1000}
    partitions:
      - {PartitionName: main, Nodes: 'node[1-2]', Default: true, MaxTime: '1-00:00:00'}
