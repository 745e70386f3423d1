# Benchmarks: built and run by hand, never part of a check. Each prints a table.
EXTRA_PROGRAMS += %D%/policy-bench
CLEANFILES += %D%/policy-bench
%C%_policy_bench_SOURCES = \
	%D%/bench.c %D%/bench.h %D%/policy-bench.c %D%/policy-bench.h %D%/policy-decide-bench.c \
	%D%/policy-instructions-bench.c %D%/policy-load-bench.c %D%/policy-world.c %D%/policy-world.h
%C%_policy_bench_LDADD = policy-engine/lib/libpolicy.la
%C%_policy_bench_LDFLAGS = -no-install

bench-policy: %D%/policy-bench
	%D%/policy-bench $(BENCH_FLAGS)
.PHONY: bench-policy
