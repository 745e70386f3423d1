# domain-spawner
include domain-spawner/helper.mk
