# policy-engine
