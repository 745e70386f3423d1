# The engine against a second evaluator. "make check" takes a slice, "make check-random" all of it.
RANDOM_CASE = %D%/case.c %D%/case.h %D%/case-files.c %D%/generate.c %D%/generate.h %D%/oracle.c %D%/oracle.h \
	%D%/shrink.c
RANDOM_LDADD = policy-engine/lib/libpolicy.la libqrexec/libbase.la

check_PROGRAMS += %D%/random-test
TESTS += %D%/random-test
%C%_random_test_SOURCES = %D%/random-test.c policy-engine/domains-file.c policy-engine/domains-file.h $(RANDOM_CASE)
%C%_random_test_LDADD = $(RANDOM_LDADD)
check_PROGRAMS += %D%/every-test
TESTS += %D%/every-test
%C%_every_test_SOURCES = %D%/every-test.c $(RANDOM_CASE)
%C%_every_test_LDADD = $(RANDOM_LDADD)
check_PROGRAMS += %D%/modes-test
TESTS += %D%/modes-test
%C%_modes_test_SOURCES = %D%/modes-test.c $(RANDOM_CASE)
%C%_modes_test_LDADD = $(RANDOM_LDADD)

# All small policies, and a million random cases: some minutes. QREXEC_SEED chooses the cases.
check-random: $(check_PROGRAMS) $(bin_PROGRAMS) $(sbin_PROGRAMS)
	$(AM_TESTS_ENVIRONMENT) $(builddir)/%D%/random-test 1000000
	$(AM_TESTS_ENVIRONMENT) $(builddir)/%D%/every-test 1
	$(AM_TESTS_ENVIRONMENT) $(builddir)/%D%/modes-test 300
.PHONY: check-random
