# domain-spawner
include domain-spawner/helper.mk
include domain-spawner/commands/commands.mk
