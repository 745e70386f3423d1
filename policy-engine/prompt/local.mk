# The prompt: a program of the user's session. What needs no desktop is a library, for its tests.
noinst_LTLIBRARIES += %D%/libprompt.la
%C%_libprompt_la_SOURCES = \
	%D%/notices.c %D%/notices.h %D%/question.c %D%/question.h %D%/request.c %D%/request.h \
	%D%/screen.c %D%/screen.h %D%/shown.c %D%/shown.h
%C%_libprompt_la_CFLAGS = $(AM_CFLAGS) $(JANSSON_CFLAGS)
%C%_libprompt_la_LIBADD = libqrexec/libwire.la libqrexec/libbase.la $(JANSSON_LIBS)

# GLib's loop instead of the other programs': D-Bus and the window live in it.
noinst_LTLIBRARIES += %D%/libfront.la
%C%_libfront_la_SOURCES = libqrexec/base/hangup.c libqrexec/base/hangup.h libqrexec/base/loop.h \
	%D%/agent.c %D%/agent.h %D%/bus.c %D%/bus.h %D%/front.h %D%/loop-glib.c %D%/terminal.c
%C%_libfront_la_CFLAGS = $(AM_CFLAGS) $(GIO_CFLAGS)
%C%_libfront_la_LIBADD = %D%/libprompt.la $(GIO_LIBS)
WINDOW_FILES = %D%/icon.c %D%/icon.h %D%/widgets.c %D%/widgets.h %D%/window.c %D%/window.h
if HAVE_GTK
noinst_LTLIBRARIES += %D%/libwindow.la
%C%_libwindow_la_SOURCES = $(WINDOW_FILES)
%C%_libwindow_la_CFLAGS = $(AM_CFLAGS) $(GTK_CFLAGS)
%C%_libwindow_la_LIBADD = $(GTK_LIBS)
PROMPT_WINDOW = %D%/libwindow.la
else
EXTRA_DIST += $(WINDOW_FILES)
PROMPT_WINDOW =
endif
bin_PROGRAMS += %D%/qrexec-policy-agent
%C%_qrexec_policy_agent_SOURCES = %D%/qrexec-policy-agent.c
%C%_qrexec_policy_agent_LDADD = $(PROMPT_WINDOW) %D%/libfront.la

PROMPT_UNIT_TESTS = tests/unit/policy-engine/prompt/notices-test tests/unit/policy-engine/prompt/question-test \
	tests/unit/policy-engine/prompt/request-test tests/unit/policy-engine/prompt/screen-test \
	tests/unit/policy-engine/prompt/shown-test tests/unit/policy-engine/prompt/agent-test
check_PROGRAMS += $(PROMPT_UNIT_TESTS)
TESTS += $(PROMPT_UNIT_TESTS)
tests_unit_policy_engine_prompt_notices_test_SOURCES = tests/unit/policy-engine/prompt/notices-test.c tests/unit/test.h
tests_unit_policy_engine_prompt_notices_test_LDADD = %D%/libprompt.la $(CMOCKA_LIBS)
tests_unit_policy_engine_prompt_question_test_SOURCES = tests/unit/policy-engine/prompt/question-test.c tests/unit/test.h
tests_unit_policy_engine_prompt_question_test_LDADD = %D%/libprompt.la $(CMOCKA_LIBS)
tests_unit_policy_engine_prompt_request_test_SOURCES = tests/unit/policy-engine/prompt/request-test.c tests/unit/test.h
tests_unit_policy_engine_prompt_request_test_LDADD = %D%/libprompt.la $(CMOCKA_LIBS)
tests_unit_policy_engine_prompt_screen_test_SOURCES = tests/unit/policy-engine/prompt/screen-test.c tests/unit/test.h
tests_unit_policy_engine_prompt_screen_test_LDADD = %D%/libprompt.la $(CMOCKA_LIBS)
tests_unit_policy_engine_prompt_shown_test_SOURCES = tests/unit/policy-engine/prompt/shown-test.c tests/unit/test.h
tests_unit_policy_engine_prompt_shown_test_LDADD = %D%/libprompt.la $(CMOCKA_LIBS)

tests_unit_policy_engine_prompt_agent_test_SOURCES = tests/unit/policy-engine/prompt/agent-test.c tests/unit/test.h
tests_unit_policy_engine_prompt_agent_test_LDADD = %D%/libfront.la $(CMOCKA_LIBS)
tests_unit_policy_engine_prompt_agent_test_LDFLAGS = -Wl,--wrap=clock_ms,--wrap=timer_set

PROMPT_STAGE = tests/talk/desktop-stage.c tests/talk/desktop-stage.h tests/talk/prompt-stage.c tests/talk/prompt-stage.h
PROMPT_TALK_TESTS = tests/talk/policy-agent-test tests/talk/policy-window-test
check_PROGRAMS += $(PROMPT_TALK_TESTS)
TESTS += $(PROMPT_TALK_TESTS)
tests_talk_policy_agent_test_SOURCES = tests/talk/policy-agent-test.c $(PROMPT_STAGE) $(POLICY_STAGE)
tests_talk_policy_agent_test_CFLAGS = $(AM_CFLAGS) $(GIO_CFLAGS)
tests_talk_policy_agent_test_LDADD = libqrexec/libbase.la $(CMOCKA_LIBS) $(GIO_LIBS)
# Without GTK or XTEST each of its cases is told as skipped.
X_STAGE = tests/talk/x-stage.c tests/talk/x-stage.h
tests_talk_policy_window_test_SOURCES = tests/talk/policy-window-test.c $(PROMPT_STAGE) $(DAEMON_STAGE)
tests_talk_policy_window_test_CFLAGS = $(AM_CFLAGS) $(GIO_CFLAGS) $(XTEST_CFLAGS)
tests_talk_policy_window_test_LDADD = libqrexec/libbase.la $(CMOCKA_LIBS) $(GIO_LIBS) $(XTEST_LIBS)
if HAVE_XTEST
tests_talk_policy_window_test_SOURCES += $(X_STAGE)
else
EXTRA_DIST += $(X_STAGE)
endif

check_PROGRAMS += tests/unit/policy-engine/prompt/window-test
TESTS += tests/unit/policy-engine/prompt/window-test
tests_unit_policy_engine_prompt_window_test_SOURCES = tests/unit/policy-engine/prompt/window-test.c tests/unit/test.h
tests_unit_policy_engine_prompt_window_test_CFLAGS = $(AM_CFLAGS) $(GTK_CFLAGS) $(XTEST_CFLAGS)
tests_unit_policy_engine_prompt_window_test_LDADD = $(PROMPT_WINDOW) %D%/libfront.la $(CMOCKA_LIBS) $(XTEST_LIBS)
if HAVE_XTEST
tests_unit_policy_engine_prompt_window_test_SOURCES += $(X_STAGE)
endif
