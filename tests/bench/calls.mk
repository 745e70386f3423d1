# what a call costs: figures, no tests
EXTRA_PROGRAMS += tests/bench/calls-bench
CLEANFILES += tests/bench/calls-bench$(EXEEXT)
tests_bench_calls_bench_SOURCES = tests/bench/bench.c tests/bench/bench.h tests/bench/calls-bench.c \
	tests/bench/calls-stage.c tests/bench/calls-stage.h
tests_bench_calls_bench_LDADD = libqrexec/libbase.la
tests_bench_calls_bench_LDFLAGS = -no-install
bench-calls: tests/bench/calls-bench$(EXEEXT) all
	@builddir='$(abs_top_builddir)' tests/bench/calls-bench $(BENCH_FLAGS)
.PHONY: bench-calls
