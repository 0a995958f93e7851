"""
Know the parameters of Slurm's configuration files, version by version.

Each row comes from the option tables of Slurm's parsers in the newest release of every major
version, 21.08 to 26.05: src/common/read_config.c; cgroup.c, gres.c and acct_gather*.c in src/common
or src/interfaces; src/slurmdbd/read_config.c; src/plugins/topology, src/plugins/acct_gather_* and
src/plugins/job_container/tmpfs.
What a change needs is from the man pages of those releases. For slurm.conf with its lines,
cgroup.conf and gres.conf, 22.05, 24.11 and 26.05 are also as Debian's binaries have it: the cluster
tests compare them. The other versions and files are from the source and the manual alone.
"""

from salt.exceptions import SaltInvocationError

VERSIONS = ("21.08", "22.05", "23.02", "23.11", "24.05", "24.11", "25.05", "25.11", "26.05")

# From here on a reconfigure starts new processes (scontrol.1, reconfigure), so that it changes
# nearly everything; what `needs` says before is from slurm.conf(5) of 21.08 to 23.02.
_NEW_ERA = "23.11"

# A line is a parameter: its name, its kind, and what else a row has (see `table`);
# `before=22.05:uint16` is the kind that it had until that version, `repeat` the first version in
# which it may stand more than once.
_ROWS = {
    "slurm.conf": """
AccountingStorageBackupHost string
AccountingStorageEnforce words
AccountingStorageExternalHost words
AccountingStorageHost string
AccountingStorageLoc string removed=21.08
AccountingStorageParameters words
AccountingStoragePass string
AccountingStoragePort uint16
AccountingStorageTRES words
AccountingStorageType string plugin=accounting_storage
AccountingStorageUser string ignored=25.11
AccountingStoreFlags words
AccountingStoreJobComment yes_no removed=21.08 renamed=AccountingStoreFlags=job_comment
AcctGatherEnergyType string plugin=acct_gather_energy
AcctGatherFilesystemType string plugin=acct_gather_filesystem
AcctGatherInfinibandType string renamed=AcctGatherInterconnectType
AcctGatherInterconnectType string plugin=acct_gather_interconnect
AcctGatherNodeFreq uint16
AcctGatherProfileType string plugin=acct_gather_profile
AllowSpecResourcesUsage yes_no
AuthAltParameters words
AuthAltTypes words plugin=auth
AuthInfo words
AuthType string plugin=auth
BackupAddr string renamed=SlurmctldHost
BackupController string renamed=SlurmctldHost
BatchStartTimeout uint16
BcastExclude words
BcastParameters words
BurstBufferParameters words
BurstBufferType string plugin=burst_buffer
CacheGroups uint16 removed=21.08
CertgenParameters words since=25.05
CertgenType string since=25.05 plugin=certgen
CertmgrParameters words since=24.11
CertmgrType string since=24.11 plugin=certmgr
CheckpointType string removed=21.08
ChosLoc string removed=20.11
CliFilterParameters words since=25.11
CliFilterPlugins words plugin=cli_filter
ClusterName string
CommunicationParameters words
CompleteWait uint16
ControlAddr string renamed=SlurmctldHost
ControlMachine string renamed=SlurmctldHost
CoreSpecPlugin string ignored=24.05 plugin=core_spec
CpuFreqDef string
CpuFreqGovernors words
CredType string plugin=cred
CryptoType string renamed=CredType plugin=cred
DataParserParameters words since=24.11
DebugFlags words
DefaultStorageHost string removed=21.08 renamed=AccountingStorageHost
DefaultStorageLoc string removed=21.08
DefaultStoragePass string removed=21.08 renamed=AccountingStoragePass
DefaultStoragePort uint32 removed=21.08 renamed=AccountingStoragePort
DefaultStorageType string removed=21.08 renamed=AccountingStorageType
DefaultStorageUser string removed=21.08
DefCPUPerGPU uint64
DefMemPerCPU uint64
DefMemPerGPU uint64
DefMemPerNode uint64
DependencyParameters words
DisableRootJobs yes_no
DownNodes line
EioTimeout uint16
EnforcePartLimits string
Epilog path repeat=24.05
EpilogMsgTime uint32
EpilogSlurmctld path repeat=24.05
EpilogTimeout uint16 since=25.05
ExtSensorsFreq uint16 ignored=23.11
ExtSensorsType string ignored=23.11 plugin=ext_sensors
FairShareDampeningFactor uint16
FastSchedule uint16 renamed=SlurmdParameters=config_overrides
FederationParameters words
FirstJobId uint32 range=1..4294967295
FrontendName line removed=25.05
GetEnvTimeout uint16 ignored=25.05
GpuFreqDef string
GresTypes words
GroupUpdateForce uint16
GroupUpdateTime uint16
HashPlugin string since=24.05 plugin=hash
HealthCheckInterval uint16
HealthCheckNodeState words
HealthCheckProgram path
HealthCheckTimeout uint16 since=26.05
HttpParserType string since=25.11 plugin=http_parser
InactiveLimit uint16
InteractiveStepOptions string
JobAcctGatherFrequency words
JobAcctGatherParams words
JobAcctGatherType string plugin=jobacct_gather
JobCheckpointDir path removed=21.08
JobCompHost string
JobCompLoc string
JobCompParams words
JobCompPass string
JobCompPassScript path since=25.11
JobCompPort uint32
JobCompType string plugin=jobcomp
JobCompUser string
JobContainerType string renamed=NamespaceType plugin=job_container
JobCredentialPrivateKey path ignored=23.11
JobCredentialPublicCertificate path ignored=23.11
JobFileAppend uint16
JobRequeue uint16
JobSubmitPlugins words plugin=job_submit
KeepAliveTime uint32 before=22.05:uint16
KillOnBadExit uint16
KillWait uint16
LaunchParameters words
LaunchType string plugin=launch
Layouts string removed=20.11
LicenseParameters words since=26.05
Licenses words
LogTimeFormat words
MailDomain string
MailProg path
MaxArraySize uint32
MaxBatchRequeue uint32 since=23.02
MaxDBDMsgs uint32 range=10000..4294967295
MaxJobCount uint32 range=1..4294967295
MaxJobId uint32
MaxMemPerCPU uint64
MaxMemPerNode uint64
MaxNodeCount uint32 since=22.05
MaxStepCount uint32
MaxTasksPerNode uint16
MCSParameters words
MCSPlugin string plugin=mcs
MemLimitEnforce string removed=21.08 renamed=JobAcctGatherParams=OverMemoryKill
MessageTimeout uint16
MetricsAuthUsers words since=26.05
MetricsParameters words since=26.05
MetricsType words since=25.11 plugin=metrics
MinJobAge uint32
MpiDefault string plugin=mpi
MpiParams words
MsgAggregationParams string removed=20.11
NamespaceType string since=25.11 plugin=namespace
NodeFeaturesPlugins words plugin=node_features
NodeName line
NodeSet line
OverTimeLimit uint16
PartitionName line
PluginDir path
PlugStackConfig path
PowerAction line since=26.05
PowerParameters words ignored=24.05
PowerPlugin string ignored=24.05 plugin=power
PreemptExemptTime time
PreemptMode words
PreemptParameters words since=23.02
PreemptType string plugin=preempt
PrEpParameters words
PrEpPlugins words plugin=prep
PriorityCalcPeriod time
PriorityDecayHalfLife time
PriorityFavorSmall yes_no
PriorityFlags words
PriorityMaxAge time
PriorityParameters words
PrioritySiteFactorParameters string
PrioritySiteFactorPlugin string plugin=site_factor
PriorityType string plugin=priority
PriorityUsageResetPeriod string
PriorityWeightAge uint32
PriorityWeightAssoc uint32
PriorityWeightFairshare uint32
PriorityWeightJobSize uint32
PriorityWeightPartition uint32
PriorityWeightQOS uint32
PriorityWeightTRES words
PrivateData words
ProctrackType string plugin=proctrack
Prolog path repeat=24.05
PrologEpilogTimeout uint16
PrologFlags words
PrologSlurmctld path repeat=24.05
PrologTimeout uint16 since=25.05
PropagatePrioProcess uint16 range=0..2
PropagateResourceLimits words
PropagateResourceLimitsExcept words
RebootProgram path
ReconfigFlags words
RequeueExit words
RequeueExitHold words
ResumeFailProgram path
ResumeProgram path
ResumeRate uint16
ResumeTimeout uint16
ResvEpilog path
ResvOverRun uint16
ResvProlog path
ReturnToService uint16
RoutePlugin string renamed=TopologyParam=RouteTree plugin=route
SallocDefaultCommand string removed=20.11 renamed=LaunchParameters=use_interactive_step
SbcastParameters words
SchedulerAuth ignored removed=24.05
SchedulerParameters words
SchedulerPort uint16 removed=21.08
SchedulerRootFilter uint16 removed=21.08
SchedulerTimeSlice uint16
SchedulerType string plugin=sched
ScronParameters words
SelectType string plugin=select
SelectTypeParameters words
SlurmctldAddr string
SlurmctldDebug string
SlurmctldHost line
SlurmctldHttpAuthParameters words since=26.05
SlurmctldLogFile path
SlurmctldParameters words
SlurmctldPidFile path
SlurmctldPlugstack words removed=23.02 plugin=slurmctld
SlurmctldPort ports
SlurmctldPrimaryOffProg path
SlurmctldPrimaryOnProg path
SlurmctldSyslogDebug string
SlurmctldTimeout uint16
SlurmdDebug string
SlurmdHttpAuthParameters words since=26.05
SlurmdLogFile path
SlurmdParameters words
SlurmdPidFile path
SlurmdPlugstack string removed=17.11
SlurmdPort uint32
SlurmdSpoolDir path
SlurmdSyslogDebug string
SlurmdTimeout uint16
SlurmdUser string
SlurmSchedLogFile path
SlurmSchedLogLevel uint16
SlurmUser string
SrunEpilog path
SrunPortRange ports
SrunProlog path
StateSaveLocation path
SuspendExcNodes hostlist
SuspendExcParts words
SuspendExcStates words since=23.02
SuspendProgram path
SuspendRate uint16
SuspendTime string
SuspendTimeout uint16
SwitchParameters words
SwitchType string plugin=switch
TaskEpilog path
TaskPlugin words plugin=task
TaskPluginParam words
TaskProlog path
TCPTimeout uint16
TLSParameters words since=24.05
TLSType string since=24.05 plugin=tls
TmpFS path
TopologyParam words
TopologyPlugin string plugin=topology
TrackWCKey yes_no
TreeWidth uint16
UnkillableStepProgram path
UnkillableStepTimeout uint16
UrlParserType string since=25.11 plugin=url_parser
UsePAM yes_no
VSizeFactor uint16
WaitTime uint16
X11Parameters words
""",
    "NodeName": """
BcastAddr hostlist
Boards uint16
CoreSpecCount uint16
CoresPerSocket uint16
CpuBind string
CPUs uint16
CPUSpecList words
Feature words
Features words
Gres words
GresConf path since=25.11
MemSpecLimit uint64
NodeAddr hostlist
NodeHostname hostlist
Parameters words since=25.11
Port string
Procs uint16 renamed=CPUs
RealMemory uint64
Reason string
RestrictedCoresPerGPU uint16 since=24.05
Sockets uint16
SocketsPerBoard uint16
State string
SuspendTime string since=26.05
ThreadsPerCore uint16
TmpDisk uint32
Topology string since=25.05
TRESWeights words
Weight uint32
""",
    "PartitionName": """
AllocNodes hostlist
AllowAccounts words
AllowGroups words
AllowQos words
Alternate string
CpuBind string
Default yes_no
DefaultTime time
DefCPUPerGPU uint64
DefMemPerCPU uint64
DefMemPerGPU uint64
DefMemPerNode uint64
DenyAccounts words
DenyQos words
DisableRootJobs yes_no
Exclusive string since=26.05
ExclusiveTopo yes_no since=24.05 renamed=Exclusive
ExclusiveUser yes_no renamed=Exclusive
GraceTime uint32
Hidden yes_no
LLN yes_no
MaxCPUsPerNode uint32
MaxCPUsPerSocket uint32 since=23.02
MaxMemPerCPU uint64
MaxMemPerNode uint64
MaxNodes uint32
MaxTime time
MinNodes uint32
Nodes hostlist
OverSubscribe string
OverTimeLimit string
PowerDownOnIdle yes_no since=23.02
PreemptMode words
Priority uint16 renamed=PriorityTier
PriorityJobFactor uint16
PriorityTier uint16
QOS string
ReqResv yes_no
ResumeTimeout uint16
RootOnly yes_no
SelectTypeParameters words
Shared string renamed=OverSubscribe
State string
SuspendTime string before=22.05:uint32
SuspendTimeout uint16
Topology string since=25.05
TRESBillingWeights words
""",
    "NodeSet": """
Feature words
Nodes hostlist
""",
    "DownNodes": """
Reason string
State string
""",
    "FrontendName": """
AllowGroups words removed=25.05
AllowUsers words removed=25.05
DenyGroups words removed=25.05
DenyUsers words removed=25.05
FrontendAddr hostlist removed=25.05
Port uint16 removed=25.05
Reason string removed=25.05
State string removed=25.05
""",
    "PowerAction": """
Location string since=26.05
Program path since=26.05
""",
    "cgroup.conf": """
AllowedDevicesFile path
AllowedKmemSpace float removed=23.11
AllowedRAMSpace float
AllowedSwapSpace float
CgroupAutomount yes_no ignored=23.11
CgroupJobIdPaths yes_no since=26.05
CgroupMountpoint path
CgroupPlugin string plugin=cgroup
CgroupReleaseAgentDir path removed=22.05
CgroupSlice string since=25.11
CgroupSubsystems string removed=17.11
ConstrainCores yes_no
ConstrainDevices yes_no
ConstrainKmemSpace yes_no removed=23.11
ConstrainRAMSpace yes_no
ConstrainSwapSpace yes_no
EnableControllers yes_no since=23.02
EnableExtraControllers words since=25.05
IgnoreSystemd yes_no since=22.05
IgnoreSystemdOnFailure yes_no since=22.05
MaxKmemPercent float removed=23.11
MaxRAMPercent float
MaxSwapPercent float
MemoryLimitEnforcement yes_no
MemoryLimitThreshold float
MemorySwappiness uint64
MinKmemSpace uint64 removed=23.11
MinRAMSpace uint64
RootOwnedCgroups yes_no since=23.02 removed=23.11
SignalChildrenProcesses yes_no since=23.11
SystemdTimeout uint64 since=24.05
TaskAffinity yes_no removed=22.05
""",
    "gres.conf": """
AutoDetect string
Cores words
Count size
CPUs words renamed=Cores
File path
Files path
Flags words
Link words
Links words
MultipleFiles path
Name line
NodeName line
Type string
""",
    "topology.conf": """
BlockLevels words since=23.11 removed=24.05 renamed=BlockSizes
BlockName line since=23.11
BlockSizes words since=24.05
LinkSpeed uint32
Nodes hostlist
RingName line since=26.05
Switches hostlist
SwitchName line
""",
    "slurmdbd.conf": """
AllowNoDefAcct yes_no since=22.05
AllResourcesAbsolute yes_no since=23.02
ArchiveDir path
ArchiveEvents yes_no
ArchiveJobEnv yes_no since=26.05
ArchiveJobs yes_no
ArchiveJobScript yes_no since=26.05
ArchiveResvs yes_no
ArchiveScript path
ArchiveSteps yes_no
ArchiveSuspend yes_no
ArchiveTXN yes_no
ArchiveUsage yes_no
AuthAltParameters words
AuthAltTypes words plugin=auth
AuthInfo words
AuthType string plugin=auth
CommitDelay uint16
CommunicationParameters words
DbdAddr string
DbdBackupHost string
DbdHost string
DbdPort uint16
DebugFlags words
DebugLevel string
DebugLevelSyslog string
DefaultQOS string
DisableArchiveCommands yes_no since=25.11
DisableCoordDBD yes_no since=24.05
DisableRollups yes_no since=26.05
HashPlugin string since=24.05 plugin=hash
JobPurge uint32 renamed=PurgeJobAfter
LogFile path
LogTimeFormat words
MaxPurgeLimit uint32 since=25.11
MaxQueryTimeRange string
MessageTimeout uint16
Parameters words
PidFile path
PluginDir path
PrivateData words
PurgeEventAfter string
PurgeEventMonths uint32 renamed=PurgeEventAfter
PurgeJobAfter string
PurgeJobEnvAfter string since=26.05
PurgeJobMonths uint32 renamed=PurgeJobAfter
PurgeJobScriptAfter string since=26.05
PurgeResvAfter string
PurgeStepAfter string
PurgeStepMonths uint32 renamed=PurgeStepAfter
PurgeSuspendAfter string
PurgeSuspendMonths uint32 renamed=PurgeSuspendAfter
PurgeTXNAfter string
PurgeTXNMonths uint32 renamed=PurgeTXNAfter
PurgeUsageAfter string
PurgeUsageMonths uint32 renamed=PurgeUsageAfter
SlurmUser string
StepPurge uint32 renamed=PurgeStepAfter
StorageBackupHost string
StorageHost string
StorageLoc string
StorageParameters words
StoragePass string
StoragePassScript path since=25.11
StoragePort uint16
StorageType string plugin=accounting_storage
StorageUser string
TCPTimeout uint16
TLSParameters words since=24.05
TLSType string since=24.05 plugin=tls
TrackSlurmctldDown yes_no
TrackWCKey yes_no
""",
    "acct_gather.conf": """
EnergyIPMIAssumeBmcOwner yes_no
EnergyIPMIAuthenticationType uint32
EnergyIPMIBridgeSensors yes_no
EnergyIPMICalcAdjustment yes_no
EnergyIPMICipherSuiteId uint32
EnergyIPMIDisableAutoProbe uint32
EnergyIPMIDiscreteReading yes_no
EnergyIPMIDriverAddress uint32
EnergyIPMIDriverDevice string
EnergyIPMIDriverType uint32
EnergyIPMIEntitySensorNames yes_no
EnergyIPMIFrequency uint32
EnergyIPMIIgnoreNonInterpretableSensors yes_no
EnergyIPMIIgnoreScanningDisabled yes_no
EnergyIPMIInterpretOemData yes_no
EnergyIPMIk_g string
EnergyIPMIk_g_len uint32
EnergyIPMIPassword string
EnergyIPMIPowerSensors string
EnergyIPMIPrivilegeLevel uint32
EnergyIPMIProtocolVersion uint32
EnergyIPMIRegisterSpacing uint32
EnergyIPMIRereadSdrCache yes_no
EnergyIPMIRetransmissionTimeout uint32
EnergyIPMISessionTimeout uint32
EnergyIPMISharedSensors yes_no
EnergyIPMITimeout uint32
EnergyIPMIUsername string
EnergyIPMIVariable string
EnergyIPMIWorkaroundFlags uint32
EnergyXCCFake yes_no
InfinibandOFEDPort uint32 renamed=InterconnectOFEDPort
InterconnectOFEDPort uint32
ProfileHDF5Default string
ProfileHDF5Dir path
ProfileInfluxDBDatabase string
ProfileInfluxDBDefault string
ProfileInfluxDBExtraTags words since=26.05
ProfileInfluxDBFlags words since=26.05
ProfileInfluxDBFrequency uint32 since=25.11
ProfileInfluxDBHost string
ProfileInfluxDBPass string
ProfileInfluxDBRTPolicy string
ProfileInfluxDBTimeout uint32 since=23.02
ProfileInfluxDBUser string
SysfsInterfaces words since=22.05
""",
    "job_container.conf": """
AutoBasePath yes_no
BasePath path
CloneNSEpilog path since=24.11
CloneNSEpilog_Wait uint32 since=24.11
CloneNSScript path since=24.11
CloneNSScript_Wait uint32 since=24.11
Dirs words since=23.02
EntireStepInNS yes_no since=24.11
InitScript path
NodeName line
Shared yes_no since=23.02
""",
    "SlurmctldHost": "",
}

# Words that a binary takes, where it refuses all others: `@` the first version with the word, `<`
# the first without it.
_VALUES = {
    "slurm.conf": {
        "AccountingStorageEnforce": "associations limits safe wckeys qos all nojobs nosteps 1 2",
        "DebugFlags": (
            "Accrue Agent Backfill BackfillMap BurstBuffer cgroup CPU_Bind Data DB_Archive "
            "DB_Assoc DB_TRES DB_Event DB_Job DB_QOS DB_Query DB_Reservation DB_Resource "
            "DB_Step DB_Usage DB_WCKey Dependency Elasticsearch Energy ExtSensors<24.05 "
            "Federation FrontEnd<25.05 Gang Gres Hetjob Interconnect JobAccountGather JAG "
            "JobContainer License Network Net NetworkRaw NetRaw NO_CONF_HASH NodeFeatures "
            "Priority Profile Protocol Reservation Route Script SelectType Steps Switch Task "
            "TraceJobs Trigger Triggers CpuFrequency Power PowerSave TimeCray<24.05 workqueue "
            "workq MPI@22.05 JobComp@23.02 GLOB_SILENCE@23.11 Sack@23.11 AuditRPCs@24.05 "
            "DBD_Agent@24.05 TLS@24.05 ConMgr@24.11 AuditTLS@25.05 Metrics@25.11 "
            "Namespace@25.11 thread@26.05 threads@26.05"
        ),
        "EnforcePartLimits": "ALL ANY NO YES UP DOWN TRUE FALSE 1 0",
        "PreemptMode": "OFF CANCEL REQUEUE SUSPEND GANG WITHIN CLUSTER PRIORITY@25.05",
        "PriorityUsageResetPeriod": "NONE NOW DAILY WEEKLY MONTHLY QUARTERLY YEARLY",
        "PrologFlags": (
            "Alloc Contain NoHold Serial X11 DeferBatch@22.05 ForceRequeueOnFail@23.02 "
            "RunInJob@24.05"
        ),
        "PropagateResourceLimits": (
            "ALL NONE AS CORE CPU DATA FSIZE MEMLOCK NOFILE NPROC RSS STACK RLIMIT_AS "
            "RLIMIT_CORE RLIMIT_CPU RLIMIT_DATA RLIMIT_FSIZE RLIMIT_MEMLOCK RLIMIT_NOFILE "
            "RLIMIT_NPROC RLIMIT_RSS RLIMIT_STACK"
        ),
        "PropagateResourceLimitsExcept": (
            "ALL NONE AS CORE CPU DATA FSIZE MEMLOCK NOFILE NPROC RSS STACK RLIMIT_AS "
            "RLIMIT_CORE RLIMIT_CPU RLIMIT_DATA RLIMIT_FSIZE RLIMIT_MEMLOCK RLIMIT_NOFILE "
            "RLIMIT_NPROC RLIMIT_RSS RLIMIT_STACK"
        ),
        "SelectTypeParameters": (
            "CR_CPU CR_CPU_Memory CR_Core CR_Core_Memory CR_Socket CR_Socket_Memory CR_Memory "
            "CR_ONE_TASK_PER_CORE CR_CORE_DEFAULT_DIST_BLOCK CR_LLN CR_Pack_Nodes "
            "OTHER_CONS_RES<23.02 OTHER_CONS_TRES<24.05 LL_SHARED_GRES@23.11 "
            "MULTIPLE_SHARING_GRES_PJ@23.11 ENFORCE_BINDING_GRES@23.11 "
            "ONE_TASK_PER_SHARING_GRES@23.11"
        ),
        "SlurmctldDebug": (
            "quiet fatal error info verbose debug debug2 debug3 debug4 debug5 0 1 2 3 4 5 6 7 8 9"
        ),
        "SlurmctldSyslogDebug": (
            "quiet fatal error info verbose debug debug2 debug3 debug4 debug5 0 1 2 3 4 5 6 7 8 9"
        ),
        "SlurmdDebug": (
            "quiet fatal error info verbose debug debug2 debug3 debug4 debug5 0 1 2 3 4 5 6 7 8 9"
        ),
        "SlurmdSyslogDebug": (
            "quiet fatal error info verbose debug debug2 debug3 debug4 debug5 0 1 2 3 4 5 6 7 8 9"
        ),
    },
    "PartitionName": {
        "Exclusive": "NO NODE USER TOPO",
        "OverSubscribe": "NO YES EXCLUSIVE FORCE",
        "SelectTypeParameters": "CR_Core CR_Core_Memory CR_Socket CR_Socket_Memory",
        "Shared": "NO YES EXCLUSIVE FORCE",
        "State": "UP DOWN DRAIN INACTIVE",
    },
}

# A binary refuses these for another reason than their name or kind.
_FATAL_NOTES = {
    "slurm.conf": {
        "BcastExclude": "each path must be absolute, or None",
        "FastSchedule": "slurmctld starts with 1 only, which it ignores",
        "FrontendName": "refused by a Slurm built without --enable-front-end, as Debian's is",
        "MaxNodeCount": "22.05 takes it with SelectType=select/cons_tres only",
        "MCSParameters": "refused without MCSPlugin",
        "PluginDir": "each directory must exist",
        "PreemptMode": "all but OFF, GANG and CLUSTER need a PreemptType",
        "SlurmdUser": "the user must exist",
        "SlurmSchedLogLevel": "1 needs SlurmSchedLogFile",
        "SlurmUser": "the user must exist",
    },
}

# Plugins that are gone from src/plugins: the first version without them, and what took their place.
# Not those named none: their files went in 23.11, but read_config.c takes the word for no plugin.
_REMOVED_PLUGINS = {
    "accounting_storage/filetxt": ("20.11", "accounting_storage/slurmdbd"),
    "acct_gather_energy/cray_aries": ("20.11", None),
    "acct_gather_energy/rsmi": ("22.05", "acct_gather_energy/gpu"),
    "burst_buffer/generic": ("21.08", None),
    "core_spec/cray_aries": ("24.05", None),
    "ext_sensors/rrd": ("24.05", None),
    "job_container/cncu": ("24.05", None),
    "job_submit/cray_aries": ("24.05", None),
    "node_features/knl_cray": ("24.05", None),
    "node_features/knl_generic": ("25.11", None),
    "power/cray_aries": ("24.05", None),
    "preempt/job_prio": ("18.08", "preempt/qos"),
    "proctrack/cray_aries": ("24.05", "proctrack/cgroup"),
    "proctrack/lua": ("19.05", "proctrack/cgroup"),
    "proctrack/sgi_job": ("19.05", "proctrack/cgroup"),
    "sched/hold": ("21.08", None),
    "select/bluegene": ("18.08", None),
    "select/cons_res": ("23.11", "select/cons_tres"),
    "select/cray_aries": ("24.05", "select/cons_tres"),
    "select/serial": ("19.05", "select/cons_tres"),
    "slurmctld/nonstop": ("23.02", None),
    "switch/cray_aries": ("24.05", None),
    "switch/generic": ("20.11", None),
    "task/cray_aries": ("24.05", "task/cgroup"),
    "topology/3d_torus": ("25.05", "topology/torus3d"),
    "topology/hypercube": ("23.11", None),
    "topology/node_rank": ("20.11", None),
}

# What a change of any parameter of a section needs, save for the two tables below.
_NEEDS = {
    "acct_gather.conf": "restart all",  # acct_gather.conf(5), DESCRIPTION: restart only
    "job_container.conf": "restart slurmd",  # job_container.conf(5), DESCRIPTION
    "slurmdbd.conf": "restart slurmdbd",  # slurmdbd.conf(5), DESCRIPTION
}
_NEEDS_OTHERWISE = "reconfigure"  # slurm.conf(5), cgroup.conf(5), topology.conf(5), DESCRIPTION

# Changes that lose jobs, accounting or the cluster's communication, whatever the version:
# slurm.conf(5), AuthType, SwitchType, JobAcctGatherType; slurmctld refuses to start with another
# ClusterName than its state's; slurmd kills the steps whose spool is gone.
_NEVER = "AuthType ClusterName JobAcctGatherType SlurmdSpoolDir SwitchType"

# slurm.conf(5) of 21.08 to 23.02, under each parameter; nodes at the end of PARAMETERS ("adding
# nodes, changing their processor count, etc."); gres.conf(5), Cores and Type. SlurmdPort is a
# restart of slurmctld there, but it is slurmd that listens.
_NEEDS_OLD = {
    "slurm.conf": {
        "never while jobs run": _NEVER,
        "restart all": "GresTypes PluginDir SelectType SlurmdPort",
        "restart slurmctld": (
            "AccountingStorageEnforce BackupAddr BackupController ControlAddr ControlMachine "
            "CredType CryptoType JobContainerType MaxJobCount MaxNodeCount PowerPlugin "
            "ProctrackType SchedulerType SelectTypeParameters SlurmctldHost SlurmctldPort "
            "StateSaveLocation"
        ),
        "restart slurmd": "CoreSpecPlugin",
    },
    "NodeName": {
        "restart all": (
            "BcastAddr Boards CoreSpecCount CoresPerSocket CPUs CPUSpecList Gres MemSpecLimit "
            "NodeAddr NodeHostname Port Procs RealMemory Sockets SocketsPerBoard ThreadsPerCore "
            "TmpDisk"
        ),
    },
    "gres.conf": {"restart all": "Type", "restart slurmctld": "Cores CPUs"},
}

# slurm.conf(5) of 23.11 to 26.05, DESCRIPTION ("TCP listening settings will require a daemon
# restart"), and scontrol.1, reconfigure ("listening TCP port settings or authentication
# mechanism"); gres.conf(5), Cores; cgroup.conf(5), CgroupSlice. The state is read at start alone,
# so a new StateSaveLocation is filled while slurmctld is stopped.
_NEEDS_NEW = {
    "slurm.conf": {
        "never while jobs run": _NEVER,
        "restart all": (
            "AuthAltParameters AuthAltTypes AuthInfo CredType CryptoType SlurmdPort TLSType"
        ),
        "restart slurmctld": "SlurmctldPort StateSaveLocation",
    },
    "NodeName": {"restart all": "Port"},
    "cgroup.conf": {"never while jobs run": "CgroupSlice"},
    "gres.conf": {"restart slurmctld": "Cores CPUs"},
}

# Until 23.02 these words of a parameter need more than the parameter: slurm.conf(5), under each.
_NEEDS_WORDS_OLD = {
    "SchedulerParameters": {"no_backup_scheduling": "restart slurmctld"},
    "SlurmctldParameters": {"enable_configless": "restart slurmctld"},
}


def versions():
    """
    Return the major versions of Slurm that the tables know, the oldest first.

    CLI Example:

    .. code-block:: bash

        salt-call --local slurm_parameters.versions

    Returns a list of strings such as ``22.05``.
    """
    return list(VERSIONS)


def table(section, version=None):
    """
    Return the parameters of one of Slurm's files, or of one kind of its lines.

    CLI Example:

    .. code-block:: bash

        salt-call --local slurm_parameters.table NodeName 22.05

    section
        ``slurm.conf``, ``cgroup.conf``, ``gres.conf``, ``topology.conf``, ``slurmdbd.conf``,
        ``acct_gather.conf`` or ``job_container.conf``; or the name that begins a line of
        slurm.conf: ``NodeName``, ``PartitionName``, ``NodeSet``, ``DownNodes``, ``SlurmctldHost``
        (no parameter may follow it), ``FrontendName`` or ``PowerAction``.

    version
        Slurm's version (string), of which the first two numbers count; only what it accepts is
        returned. Without it, every row.

    Returns a mapping of lower-case names to rows. A row is a mapping:

    - ``name``: the spelling of the manual.
    - ``kind``: what the parser takes. ``uint16``, ``uint32``, ``uint64`` (a number, INFINITE or
      UNLIMITED; YES and NO are fatal), ``float``, ``yes_no`` (YES, NO, TRUE, FALSE, UP, DOWN, 1,
      0), ``time`` (minutes, h:m:s, d-h, UNLIMITED), ``ports`` (a number or a range), ``size`` (a
      number with a suffix), ``line`` (it begins a line with parameters of its own), ``ignored``
      (taken without any effect). The parser takes any text for the others, which say what it means:
      ``string``, ``path``, ``words`` (joined by commas), ``hostlist``.
    - ``values``: the words that it takes, whatever their case, or None where no list is closed; in
      OverSubscribe one may be followed by ``:COUNT``.
    - ``range``: the bounds that the parser enforces, ``[least, most]``, or None for its kind's.
    - ``plugin``: what kind of plugin it names, or None: ``select`` for select/cons_tres, whose file
      is select_cons_tres.so. ``removed_values``: plugins that are gone, as ``{name: {"removed":
      version, "renamed": name or None}}``, None without a plugin.
    - ``repeat``: whether it may stand more than once.
    - ``since``: the first version that knows it, None if that is 21.08 or older; ``ignored``: the
      first that takes it without any effect; ``removed``: the first that refuses it; each or None.
    - ``renamed``: what took its place (a parameter, or ``parameter=word``), or None.
    - ``needs``: what a change takes effect by: ``reconfigure``, ``restart slurmctld``, ``restart
      slurmd``, ``restart all``, ``restart slurmdbd`` or ``never while jobs run``; without a
      version, a mapping of the two eras ``23.02`` (and older) and ``23.11`` (and later) to these.
      No row says ``nothing``: slurmctld compares a checksum of the file with each node's.
    - ``needs_words``: words of the value with needs of their own, ``{word: needs}``, or None.
    - ``fatal_note``: why a good value may be refused nevertheless, or None.

    Raises SaltInvocationError for an unknown section or version.

    Source: the module's docstring.
    """
    tables = _tables()
    if section not in tables:
        raise SaltInvocationError(f"no section {section!r} (known: {', '.join(tables)})")
    major = _major(version)
    rows = (_seen_by(row, major) for row in tables[section].values())
    return {row["name"].lower(): row for row in rows if row}


def get(name, version=None):
    """
    Return what is known of a parameter, in every file and line that has one of this name.

    CLI Example:

    .. code-block:: bash

        salt-call --local slurm_parameters.get SuspendTime 24.11

    name
        The parameter, whatever its case (string).

    version
        Slurm's version (string), or None, as for ``slurm_parameters.table``.

    Returns a list of rows, as ``slurm_parameters.table`` returns them, with ``section`` in each.

    Raises SaltInvocationError for an unknown version.
    """
    found = ((section, table(section, version).get(name.lower())) for section in _tables())
    return [{"section": section, **row} for section, row in found if row]


def _major(version):
    """Return the major version that a version belongs to, None for None."""
    if version is None:
        return None
    major = ".".join(str(version).split(".")[:2])
    if major not in VERSIONS:
        raise SaltInvocationError(
            f"Slurm {version} is not in the tables, which know {VERSIONS[0]} to {VERSIONS[-1]}; "
            "write it as a string such as '22.05.8'"
        )
    return major


def _seen_by(row, major):
    """Return a copy of a row as one version has it, None where it does not accept it."""
    row = dict(row)
    before, old = row.pop("before"), row.pop("needs_old")
    words = row.pop("values")
    if major is None:
        row["values"] = words and [word for word, _, _ in words]
        row["needs"] = {"23.02": old, _NEW_ERA: row["needs"]}
        row["repeat"] = bool(row["repeat"])
        return row
    if (row["since"] or major) > major or (row["removed"] and row["removed"] <= major):
        return None
    if before and major < before[0]:
        row["kind"] = before[1]
    if row["ignored"] and row["ignored"] <= major:
        row["kind"] = "ignored"
    row["values"] = words and [
        word for word, since, gone in words if since <= major and not (gone and gone <= major)
    ]
    row["repeat"] = bool(row["repeat"]) and row["repeat"] <= major
    if major < _NEW_ERA:
        row["needs"] = old
    else:
        row["needs_words"] = None
    return row


_PARSED: dict = {}


def _tables():
    """Return every section's rows by lower-case name, read once."""
    if not _PARSED:
        for section, text in _ROWS.items():
            lines = (line.split() for line in text.splitlines() if line)
            _PARSED[section] = {words[0].lower(): _row(section, *words) for words in lines}
    return _PARSED


def _row(section, name, kind, *facts):
    """Return one row of a section from the words of its line."""
    said = dict(fact.split("=", 1) for fact in facts)
    before, plugin = said.pop("before", None), said.pop("plugin", None)
    bounds = said.pop("range", None)
    row = {
        "name": name,
        "kind": kind,
        "values": _words(_VALUES.get(section, {}).get(name)),
        "range": [int(bound) for bound in bounds.split("..")] if bounds else None,
        "plugin": plugin,
        "removed_values": plugin and _removed(plugin),
        "repeat": said.pop("repeat", VERSIONS[0] if kind == "line" else None),
        **{key: said.pop(key, None) for key in ("since", "ignored", "removed", "renamed")},
        "needs": _needs(_NEEDS_NEW, section, name),
        "needs_old": _needs(_NEEDS_OLD, section, name),
        "needs_words": _NEEDS_WORDS_OLD.get(name) if section == "slurm.conf" else None,
        "fatal_note": _FATAL_NOTES.get(section, {}).get(name),
        "before": before and before.split(":"),
    }
    if said:
        raise ValueError(f"{section} {name}: {said}")
    return row


def _words(text):
    """Return the words of a closed list as (word, first version, first version without it)."""
    if text is None:
        return None
    found = []
    for item in text.split():
        rest, _, gone = item.partition("<")
        word, _, since = rest.partition("@")
        found.append((word, since or VERSIONS[0], gone))
    return found


def _removed(plugin):
    """Return the plugins of a kind that are gone."""
    return {
        name: {"removed": version, "renamed": instead}
        for name, (version, instead) in _REMOVED_PLUGINS.items()
        if name.startswith(plugin + "/")
    }


def _needs(exceptions, section, name):
    """Return what a change of a parameter needs in one era."""
    for needs, names in exceptions.get(section, {}).items():
        if name in names.split():
            return needs
    return _NEEDS.get(section, _NEEDS_OTHERWISE)
