# Fuzz targets. "make check" replays their corpora; "make fuzz" runs each (or FUZZ="directory") for FUZZ_SECONDS
# under libFuzzer.
FUZZ_SHARED = %D%/fuzz.c %D%/fuzz.h %D%/replay.c $(RANDOM_CASE)
FUZZ_TARGETS = %D%/five-columns %D%/three-columns %D%/directory %D%/never %D%/policy-socket %D%/eval-question
check_PROGRAMS += $(FUZZ_TARGETS)
TESTS += $(FUZZ_TARGETS)
EXTRA_DIST += %D%/corpus
%C%_five_columns_SOURCES = %D%/five-columns.c $(FUZZ_SHARED)
%C%_five_columns_CPPFLAGS = $(AM_CPPFLAGS) -DFUZZ_CORPUS='"%D%/corpus/five-columns"'
%C%_five_columns_LDADD = policy-engine/lib/libpolicy.la libqrexec/libbase.la
%C%_three_columns_SOURCES = %D%/three-columns.c $(FUZZ_SHARED)
%C%_three_columns_CPPFLAGS = $(AM_CPPFLAGS) -DFUZZ_CORPUS='"%D%/corpus/three-columns"'
%C%_three_columns_LDADD = policy-engine/lib/libpolicy.la libqrexec/libbase.la
%C%_directory_SOURCES = %D%/directory.c $(FUZZ_SHARED)
%C%_directory_CPPFLAGS = $(AM_CPPFLAGS) -DFUZZ_CORPUS='"%D%/corpus/directory"'
%C%_directory_LDADD = policy-engine/lib/libpolicy.la libqrexec/libbase.la
%C%_never_SOURCES = %D%/never.c $(FUZZ_SHARED)
%C%_never_CPPFLAGS = $(AM_CPPFLAGS) -DFUZZ_CORPUS='"%D%/corpus/never"'
%C%_never_LDADD = policy-engine/lib/libpolicy.la libqrexec/libbase.la
%C%_eval_question_SOURCES = %D%/eval-question.c $(FUZZ_SHARED)
%C%_eval_question_CPPFLAGS = $(AM_CPPFLAGS) -DFUZZ_CORPUS='"%D%/corpus/eval-question"'
%C%_eval_question_LDADD = policy-engine/libpolicyserver.la
%C%_policy_socket_SOURCES = %D%/policy-socket.c $(FUZZ_SHARED)
%C%_policy_socket_CPPFLAGS = $(AM_CPPFLAGS) -DFUZZ_CORPUS='"%D%/corpus/policy-socket"'
%C%_policy_socket_LDADD = policy-engine/libpolicyservice.la

FUZZ_CC = clang
FUZZ_SECONDS = 60
FUZZ = $(notdir $(FUZZ_TARGETS))
FUZZ_CFLAGS = -g -O1 -std=gnu11 -fsanitize=fuzzer,address,undefined -fno-sanitize-recover=undefined $(PCRE2_CFLAGS) $(JANSSON_CFLAGS)
FUZZ_CODE = $(filter %.c,$(RANDOM_CASE) $(policy_engine_lib_libpolicy_la_SOURCES) $(policy_engine_libpolicyservice_la_SOURCES) policy-engine/eval-question.c \
	$(libqrexec_libbase_la_SOURCES) $(libqrexec_libwire_la_SOURCES) $(libqrexec_libloop_la_SOURCES)) %D%/fuzz.c
# Finds and new inputs stay in the build, in new/; the corpora of the tree are only read.
fuzz:
	$(MKDIR_P) %D%/bin
	for t in $(FUZZ); do \
		mkdir -p %D%/new/$$t && \
		$(FUZZ_CC) $(DEFS) $(DEFAULT_INCLUDES) $(AM_CPPFLAGS) $(FUZZ_CFLAGS) -o %D%/bin/$$t $(top_srcdir)/%D%/$$t.c \
			$(addprefix $(top_srcdir)/,$(FUZZ_CODE)) $(LDFLAGS) $(PCRE2_LIBS) $(JANSSON_LIBS) $(INIH_LIBS) $(SECCOMP_LIBS) $(EV_LIBS) && \
		%D%/bin/$$t -max_total_time=$(FUZZ_SECONDS) -max_len=4096 -timeout=10 -artifact_prefix=%D%/new/$$t- \
			-dict=$(top_srcdir)/%D%/dictionary %D%/new/$$t $(top_srcdir)/%D%/corpus/$$t || exit 1; \
	done
.PHONY: fuzz
EXTRA_DIST += %D%/dictionary
