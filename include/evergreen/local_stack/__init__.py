"""The whole stack on one machine without containers: parts from registries, supervised, under one home folder."""
