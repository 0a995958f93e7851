# What belongs to the cluster goes to every host of it; each secret has a file of its own, so that
# this file alone decides who receives it. The lab generates munge.sls and galaxy.sls.
base:
  '*.lab.test':
    - cluster
    - munge
  galaxy.lab.test:
    - galaxy
