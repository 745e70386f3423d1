# what the policy's programs cost: figures, no tests
EXTRA_PROGRAMS += tests/bench/policy-socket
CLEANFILES += tests/bench/policy-socket$(EXEEXT)
tests_bench_policy_socket_SOURCES = tests/bench/policy-socket.c
tests_bench_policy_socket_LDADD = libqrexec/libbase.la
dist_check_SCRIPTS += tests/bench/policy-oneshot
bench-policy-socket: tests/bench/policy-socket$(EXEEXT) policy-engine/qrexec-policy-daemon$(EXEEXT)
	builddir='$(abs_top_builddir)' tests/bench/policy-socket
bench-policy-oneshot: tests/bench/policy-socket$(EXEEXT) policy-engine/qrexec-policy-exec$(EXEEXT)
	builddir='$(abs_top_builddir)' $(srcdir)/tests/bench/policy-oneshot
dist_check_SCRIPTS += tests/bench/policy-analysis
bench-policy-analysis: policy-engine/qrexec-policy$(EXEEXT)
	@builddir='$(abs_top_builddir)' $(srcdir)/tests/bench/policy-analysis
BENCH_POLICY += bench-policy-socket bench-policy-oneshot bench-policy-analysis
.PHONY: bench-policy-socket bench-policy-oneshot bench-policy-analysis
