# domain-spawner
