# Benchmarks: built and run by hand, never part of a check. Each prints a table.
EXTRA_PROGRAMS += %D%/policy-bench
CLEANFILES += %D%/policy-bench$(EXEEXT)
%C%_policy_bench_SOURCES = \
	%D%/bench.c %D%/bench.h %D%/policy-bench.c %D%/policy-bench.h %D%/policy-decide-bench.c \
	%D%/policy-instructions-bench.c %D%/policy-load-bench.c %D%/policy-world.c %D%/policy-world.h
%C%_policy_bench_LDADD = policy-engine/lib/libpolicy.la
%C%_policy_bench_LDFLAGS = -no-install

# The whole table; whoever measures more of the policy adds a target here.
BENCH_POLICY = bench-policy-engine
bench-policy:
	@for target in $(BENCH_POLICY); do $(MAKE) --no-print-directory $$target || exit 1; done
bench-policy-engine: %D%/policy-bench$(EXEEXT)
	@%D%/policy-bench$(EXEEXT) $(BENCH_FLAGS)
.PHONY: bench-policy bench-policy-engine
