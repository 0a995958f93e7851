{#- Package repositories. Debian's own have Slurm and MUNGE: there is nothing to add.
    Renders nothing, so it is included and never required. #}
