# dom0's tools
noinst_LTLIBRARIES += domain-spawner/libcommands.la
domain_spawner_libcommands_la_SOURCES = \
	%D%/admin-client.c %D%/admin-client.h %D%/power.c %D%/power.h %D%/tool.c %D%/tool.h
COMMANDS_LIBS = domain-spawner/libcommands.la libqrexec/libwire.la libqrexec/libbase.la

bin_PROGRAMS += %D%/qvm-prefs
domain_spawner_commands_qvm_prefs_SOURCES = %D%/qvm-prefs.c
domain_spawner_commands_qvm_prefs_LDADD = $(COMMANDS_LIBS)

bin_PROGRAMS += %D%/qubes-prefs
domain_spawner_commands_qubes_prefs_SOURCES = %D%/qvm-prefs.c
domain_spawner_commands_qubes_prefs_LDADD = $(COMMANDS_LIBS)
domain_spawner_commands_qubes_prefs_CPPFLAGS = $(AM_CPPFLAGS) -DGLOBAL_PREFS

bin_PROGRAMS += %D%/qvm-features
domain_spawner_commands_qvm_features_SOURCES = %D%/qvm-features.c
domain_spawner_commands_qvm_features_LDADD = $(COMMANDS_LIBS)

bin_PROGRAMS += %D%/qvm-tags
domain_spawner_commands_qvm_tags_SOURCES = %D%/qvm-tags.c
domain_spawner_commands_qvm_tags_LDADD = $(COMMANDS_LIBS)

bin_PROGRAMS += %D%/qvm-ls
domain_spawner_commands_qvm_ls_SOURCES = %D%/qvm-ls.c
domain_spawner_commands_qvm_ls_LDADD = $(COMMANDS_LIBS)

bin_PROGRAMS += %D%/qvm-create
domain_spawner_commands_qvm_create_SOURCES = %D%/qvm-create.c
domain_spawner_commands_qvm_create_LDADD = $(COMMANDS_LIBS)

bin_PROGRAMS += %D%/qvm-remove
domain_spawner_commands_qvm_remove_SOURCES = %D%/qvm-remove.c
domain_spawner_commands_qvm_remove_LDADD = $(COMMANDS_LIBS)

bin_PROGRAMS += %D%/qvm-start
domain_spawner_commands_qvm_start_SOURCES = %D%/qvm-start.c
domain_spawner_commands_qvm_start_LDADD = $(COMMANDS_LIBS)

bin_PROGRAMS += %D%/qvm-shutdown
domain_spawner_commands_qvm_shutdown_SOURCES = %D%/qvm-shutdown.c
domain_spawner_commands_qvm_shutdown_LDADD = $(COMMANDS_LIBS)

bin_PROGRAMS += %D%/qvm-kill
domain_spawner_commands_qvm_kill_SOURCES = %D%/qvm-kill.c
domain_spawner_commands_qvm_kill_LDADD = $(COMMANDS_LIBS)

bin_PROGRAMS += %D%/qvm-pause
domain_spawner_commands_qvm_pause_SOURCES = %D%/qvm-pause.c
domain_spawner_commands_qvm_pause_LDADD = $(COMMANDS_LIBS)

bin_PROGRAMS += %D%/qvm-unpause
domain_spawner_commands_qvm_unpause_SOURCES = %D%/qvm-unpause.c
domain_spawner_commands_qvm_unpause_LDADD = $(COMMANDS_LIBS)

bin_PROGRAMS += %D%/qvm-run
domain_spawner_commands_qvm_run_SOURCES = %D%/qvm-run.c
domain_spawner_commands_qvm_run_LDADD = $(COMMANDS_LIBS)
