# Runs inside a template for disposables: a browser and an editor for the demo, and their entries.
mkdir -p .local/share/applications .config bin
cat > bin/stand-in-browser <<'EOF'
#!/bin/sh
{
    echo "    browser: this is $(uname -n), asked to open $1"
    echo "    browser: network here: $(ip -brief -4 address show up scope global 2>/dev/null | tr -s ' ' | tr '\n' ' ')"
} >&2
EOF
cat > bin/stand-in-editor <<'EOF'
#!/bin/sh
echo "    editor: this is $(uname -n), editing $1" >&2
echo "edited in a disposable" >> "$1"
EOF
cat > bin/stand-in-app <<'EOF'
#!/bin/sh
echo "    app: this is $(uname -n)" >&2
exec sleep "${1:-1}"
EOF
chmod +x bin/*
entry() {
    printf '[Desktop Entry]\nType=Application\nName=%s\nExec=%s\nMimeType=%s\n' "$2" "$3" "$4" \
        > ".local/share/applications/$1.desktop"
}
entry browser 'Stand-in browser' "$HOME/bin/stand-in-browser %u" 'x-scheme-handler/https;x-scheme-handler/http;'
entry editor 'Stand-in editor' "$HOME/bin/stand-in-editor %f" 'text/plain;'
entry app 'Stand-in application' "$HOME/bin/stand-in-app" ''
printf '[Default Applications]\nx-scheme-handler/https=browser.desktop\nx-scheme-handler/http=browser.desktop\ntext/plain=editor.desktop\n' \
    > .config/mimeapps.list
