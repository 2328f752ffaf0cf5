#!/bin/sh
# scripts/bootstrap: silent when all is there, installs what is missing as root or by sudo, asks
# nothing, and says what it cannot do. The package tools are stand-ins that write down their calls.
. "$(dirname "$0")/lib.sh"

mkdir stubs
stub()
{
    cat >"stubs/$1"
    chmod +x "stubs/$1"
}
# Installed is what the file `installed` says, or everything.
stub dpkg-query <<'END'
#!/bin/sh
shift 3
for package; do
    if [ ! -e "$T/missing" ] || ! grep -qx "$package" "$T/missing"; then
        echo "installed $package"
    else
        echo "not-installed $package"
    fi
done
END
stub apt-get <<'END'
#!/bin/sh
echo "apt-get $*; frontend $DEBIAN_FRONTEND; user $(id -u)" >>"$T/calls"
[ ! -t 0 ] || echo 'apt-get has a terminal' >>"$T/calls"
[ ! -e "$T/broken" ] || { echo 'E: no network'; exit 100; }
END
stub id <<'END'
#!/bin/sh
cat "$T/uid"
END
stub sudo <<'END'
#!/bin/sh
[ -e "$T/sudoer" ] || exit 1
[ "$1" = -n ] || exit 1
shift
echo 0 >"$T/uid"
"$@"
status=$?
echo 1000 >"$T/uid"
exit $status
END
export T
bootstrap()
{
    : >"$T/calls"
    PATH=$T/stubs:$PATH TMPDIR=$T "$SRC/scripts/bootstrap"
}

echo 0 >uid
check_same 'all there: silent' 'bootstrap 2>&1; echo $?' 0
check_same 'and apt-get is not called' 'cat calls' ''

printf 'zip\nunzip\n' >missing
check 'root: what is missing is installed' bootstrap
check_same 'after an update, without questions' 'sed "s/-qq.*300 //" calls' \
    'apt-get update; frontend noninteractive; user 0
apt-get install --no-install-recommends unzip zip; frontend noninteractive; user 0'

echo 1000 >uid
check_fails 'neither root nor sudo: status 2' 2 bootstrap
check_same 'one line says what to do' 'cat "$LAST"' \
    'scripts/bootstrap: these packages are missing; install them as root: unzip zip'
check_same 'nothing was tried' 'cat calls' ''

: >sudoer
check 'sudo without a password will do' bootstrap
check_same 'and is used for both' 'grep -c "user 0" calls' 2

: >broken
check_fails 'apt-get fails: status 1' 1 bootstrap
check_like 'and its reason is shown' 'cat "$LAST"' 'E: no network'
check_same 'no leftovers' 'ls | grep pacs-bootstrap' ''

rm stubs/apt-get stubs/dpkg-query
mkdir bare
for tool in sh mktemp id cat dirname; do
    ln -s "$(command -v $tool)" bare/
done
check_fails 'no Debian: status 2' 2 env PATH="$T/bare" "$SRC/scripts/bootstrap"
check_like 'with the names to look for' 'cat "$LAST"' 'no Debian system.*libdcmtk-dev'
done_testing
