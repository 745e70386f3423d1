# Fuzz targets. "make check" replays their corpora; "make fuzz" runs each (or FUZZ="directory") for FUZZ_SECONDS
# under libFuzzer.
FUZZ_PLAIN = %D%/fail.c %D%/fuzz.h %D%/replay.c
FUZZ_SHARED = %D%/fuzz.c $(FUZZ_PLAIN) $(RANDOM_CASE)
FUZZ_POLICY = %D%/five-columns %D%/three-columns %D%/directory %D%/never %D%/policy-socket %D%/eval-question
FUZZ_CALLS = %D%/settings %D%/command-line %D%/relay %D%/daemon %D%/agent
FUZZ_TARGETS = $(FUZZ_POLICY) $(FUZZ_CALLS)
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
%C%_settings_SOURCES = %D%/settings.c $(FUZZ_PLAIN) $(STAGE_QUIET)
%C%_settings_CPPFLAGS = $(AM_CPPFLAGS) -DFUZZ_CORPUS='"%D%/corpus/settings"'
%C%_settings_LDADD = libqrexec/libservice.la
%C%_command_line_SOURCES = %D%/command-line.c $(FUZZ_PLAIN) $(STAGE_FOLDER) $(STAGE_QUIET)
%C%_command_line_CPPFLAGS = $(AM_CPPFLAGS) -DFUZZ_CORPUS='"%D%/corpus/command-line"'
%C%_command_line_LDADD = libqrexec/libservice.la
%C%_relay_SOURCES = %D%/relay.c %D%/input.h $(FUZZ_PLAIN)
%C%_relay_CPPFLAGS = $(AM_CPPFLAGS) -DFUZZ_CORPUS='"%D%/corpus/relay"'
%C%_relay_LDADD = libqrexec/librelay.la
%C%_daemon_SOURCES = %D%/daemon.c %D%/input.h $(FUZZ_PLAIN) $(STAGE)
%C%_daemon_CPPFLAGS = $(AM_CPPFLAGS) -DFUZZ_CORPUS='"%D%/corpus/daemon"'
%C%_daemon_LDADD = qrexec-daemon/libdaemon.la
%C%_agent_SOURCES = %D%/agent.c %D%/input.h $(FUZZ_PLAIN) $(FUZZ_AGENT)
%C%_agent_CPPFLAGS = $(AM_CPPFLAGS) -DFUZZ_CORPUS='"%D%/corpus/agent"'
%C%_agent_LDADD = libqrexec/libservice-users.la libqrexec/librelay.la
FUZZ_AGENT = $(STAGE_FOLDER) $(STAGE_LOOP) $(STAGE_QUIET) $(STAGE_VCHAN) $(AGENT_PARTS)

FUZZ_CC = clang
FUZZ_SECONDS = 60
FUZZ = $(notdir $(FUZZ_TARGETS))
FUZZ_CFLAGS = -g -O1 -std=gnu11 -fsanitize=fuzzer,address,undefined -fno-sanitize-recover=undefined $(PCRE2_CFLAGS) $(JANSSON_CFLAGS)
FUZZ_BASE = $(libqrexec_libbase_la_SOURCES) $(libqrexec_libwire_la_SOURCES)
FUZZ_CODE_policy = $(RANDOM_CASE) $(policy_engine_lib_libpolicy_la_SOURCES) $(policy_engine_libpolicyservice_la_SOURCES) \
	policy-engine/eval-question.c $(libqrexec_libloop_la_SOURCES) %D%/fuzz.c
# what a part of the stage replaces is left out
FUZZ_STAGED = $(patsubst tests/stage/%.c,libqrexec/base/%.c,$(filter tests/stage/%.c,$(1))) \
	$(if $(filter $(STAGE_QUIET),$(1)),libqrexec/base/log.c)
FUZZ_ALL = $(filter %.c,$(FUZZ_BASE) $(FUZZ_CODE_$(if $(filter %/$(1),$(FUZZ_CALLS)),$(subst -,_,$(1)),policy)) %D%/fail.c %D%/$(1).c)
FUZZ_CODE = $(addprefix $(top_srcdir)/,$(sort $(filter-out $(call FUZZ_STAGED,$(call FUZZ_ALL,$(@F))),$(call FUZZ_ALL,$(@F)))))
FUZZ_CODE_settings = $(libqrexec_libservice_la_SOURCES) $(STAGE_QUIET)
FUZZ_CODE_command_line = $(libqrexec_libservice_la_SOURCES) $(STAGE_FOLDER) $(STAGE_QUIET)
FUZZ_CODE_relay = libqrexec/relay/relay.c $(STAGE_QUIET)
FUZZ_CODE_daemon = $(qrexec_daemon_libdaemon_la_SOURCES) $(STAGE)
FUZZ_CODE_agent = $(libqrexec_libservice_la_SOURCES) $(libqrexec_libservice_users_la_SOURCES) libqrexec/relay/relay.c libqrexec/relay/relay-run.c libqrexec/relay/relay-streams.c $(FUZZ_AGENT)
FUZZ_LIBS = $(PCRE2_LIBS) $(JANSSON_LIBS) $(INIH_LIBS) $(SECCOMP_LIBS) $(EV_LIBS) $(PAM_LIBS)
%D%/bin/%: FORCE
	@$(MKDIR_P) $(@D)
	$(FUZZ_CC) $(DEFS) $(DEFAULT_INCLUDES) $(AM_CPPFLAGS) $(FUZZ_CFLAGS) -o $@ $(FUZZ_CODE) $(LDFLAGS) $(FUZZ_LIBS)
FORCE:
.PHONY: FORCE
# Finds and new inputs stay in the build, in new/; the corpora of the tree are only read.
fuzz: $(addprefix %D%/bin/,$(FUZZ))
	for t in $(FUZZ); do \
		case " $(notdir $(FUZZ_CALLS)) " in *" $$t "*) words=calls-dictionary ;; *) words=dictionary ;; esac; \
		mkdir -p %D%/new/$$t && \
		%D%/bin/$$t -max_total_time=$(FUZZ_SECONDS) -max_len=4096 -timeout=10 -artifact_prefix=%D%/new/$$t- \
			-dict=$(top_srcdir)/%D%/$$words %D%/new/$$t $(top_srcdir)/%D%/corpus/$$t || exit 1; \
	done
.PHONY: fuzz
EXTRA_DIST += %D%/dictionary %D%/calls-dictionary
