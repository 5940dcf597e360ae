# What the tests of portreserve share beyond daemon_support.tcl: a daemon of one's own with its
# folder, sockets and process file, its clients, and others that want its ports.
#
# Sourced, this file provides
#   reserve ...        the daemon and its clients
#   peer ...           a Python that binds, connects and sends; it is another process
#   as_user UID GID    the words before a command that run it as another user
#   run WORD...        runs a program to its end: status, standard output, standard error
#   check NAME TEXT ...  a test with a folder of its own, after which nothing is left
#
# The programs are PA_PORTRESERVE and PA_PORTRELEASE of the environment. PA_PYTHON is a
# python3, if not the first one that is found.

source [file join [file dirname [file normalize [info script]]] daemon_support.tcl]

# A python3 that runs for every user, as one in somebody's home may not.
proc find_python {} {
    if {[info exists ::env(PA_PYTHON)]} {
        return $::env(PA_PYTHON)
    }
    foreach path {/usr/bin/python3 python3} {
        if {![catch {exec $path -c {import socket}}]} {
            return $path
        }
    }
    return {}
}

set python [find_python]
foreach name {PORTRESERVE PORTRELEASE} {
    testConstraint [string tolower $name] [info exists ::env(PA_$name)]
}
testConstraint python3 [expr {$python ne {}}]
testConstraint ordinary [expr {![testConstraint root]}]
# Another user can be had; valgrind could not write its log then. Without root's rights at least.
testConstraint users [expr {[testConstraint root] && [testConstraint setpriv]
    && ![info exists ::env(PA_VALGRIND)]}]
testConstraint unprivileged [expr {[testConstraint ordinary] || [testConstraint users]}]

# The words that run a command as another user, who is in these groups besides.
proc as_user {uid gid args} {
    set groups [expr {[llength $args] ? "--groups=[join $args ,]" : "--clear-groups"}]
    return [list setpriv --reuid=$uid --regid=$gid $groups]
}

# Runs a program to its end: {status stdout stderr}. The status of one that a signal ended is
# the signal's name.
proc run {args} {
    set out [support scratch run.out]
    set err [support scratch run.err]
    set status 0
    if {[catch {exec {*}$args < /dev/null > $out 2> $err} - options]} {
        set status [lindex [dict get $options -errorcode] 2]
    }
    return [list $status [text_of $out] [text_of $err]]
}

proc text_of {path} {
    set file [open $path]
    fconfigure $file -encoding utf-8
    set text [read $file]
    close $file
    return $text
}

# --------------------------------------------------------------- the daemon --

namespace eval reserve {
    variable count 0
    variable dir {}
    variable daemons {}
    variable commands {}
    variable before {}
    variable left {}
    namespace export begin end through path file port start daemonize pid signal stop wait \
        running log told await_log reload rows states release take command finished switches \
        portrelease portrelease_by portreserve descriptors holds
    namespace ensemble create
}

# A new folder; in it etc, which is the daemon's -config, and what it makes.
proc reserve::begin {} {
    variable count
    variable dir
    variable before
    variable left
    set dir [support::scratch reserve[incr count]]
    set before {}
    set left {}
    ::file mkdir $dir/etc
    ::file attributes $dir -permissions 0755
    ::file attributes $dir/etc -permissions 0755
}

# Words that stand before the daemon and its clients from now on until `end`, such as
# those that enter a network namespace.
proc reserve::through {args} {
    variable before
    set before $args
}

proc reserve::path {args} {
    variable dir
    return [::file join $dir {*}$args]
}

# Writes a file of the daemon's folder, a line an element. An old one is replaced.
proc reserve::file {name lines} {
    set path [path etc]/$name
    ::file delete $path
    set file [open $path {WRONLY CREAT} 0644]
    foreach line $lines {
        puts $file $line
    }
    close $file
    ::file attributes $path -permissions 0644
}

# A port that no other test of this process has used.
proc reserve::port {} {
    variable ports
    if {![info exists ports] || ![llength $ports]} {
        lassign [own_range 100] low high
        for {set port $low} {$port <= $high} {incr port} {
            lappend ports $port
        }
    }
    set ports [lassign $ports port]
    return $port
}

# The switches of a daemon that has this test's folder.
proc reserve::switches {} {
    return [::list -config [path etc] -socket [path run socket] -pidfile [path pid]]
}

# Starts a daemon in the foreground with these switches, whose messages are its log, and waits
# until it answers. Returns its pid.
proc reserve::start {args} {
    variable daemons
    variable before
    set guard [expr {[testConstraint setpriv] ? {setpriv --pdeathsig KILL} : {}}]
    set channel [open |[::list {*}$before {*}$guard $::env(PA_PORTRESERVE) -d {*}[switches] \
        {*}$args > [path out] 2> [path log]] w]
    dict set daemons [pid_of $channel] $channel
    set pid [pid_of $channel]
    support::wait_until {![support::runs $pid]
        || ([::file exists [path run socket.stream]] && [lindex [portreserve -list] 0] == 0)}
    if {![support::runs $pid]} {
        error "the daemon ended ([wait $pid]): [manager::read_file [path log]]"
    }
    return $pid
}

proc reserve::pid_of {channel} {
    return [lindex [::pid $channel] 0]
}

# Starts one in the background: {status stdout stderr} of the command.
proc reserve::daemonize {args} {
    variable before
    return [run {*}$before $::env(PA_PORTRESERVE) {*}[switches] {*}$args]
}

# The number that the process file has; {} without one.
proc reserve::pid {} {
    return [string trim [manager::read_file [path pid]]]
}

proc reserve::running {} {
    return [expr {[pid] ne {} && [support::runs [pid]]}]
}

# Sends a signal by its name to the daemon that the process file tells of.
proc reserve::signal {name} {
    exec kill -$name [pid]
}

# Waits until a daemon that `start` started has ended: its exit status, or its signal.
proc reserve::wait {pid} {
    variable daemons
    support::wait_until {![support::runs $pid]} 20000
    set channel [dict get $daemons $pid]
    dict unset daemons $pid
    if {[catch {close $channel} - options]} {
        return [lindex [dict get $options -errorcode] 2]
    }
    return 0
}

# Sends it a signal, and waits.
proc reserve::stop {pid {signal TERM}} {
    exec kill -$signal $pid
    return [wait $pid]
}

# What it said, a line an element, without the program's name.
proc reserve::log {} {
    return [lmap line [split [string trimright [manager::read_file [path log]] \n] \n] {
        regsub {^portreserve: } $line {}
    }]
}

# The same when it has written all about the requests that were answered: an answer may come
# before the line about it does.
proc reserve::told {} {
    portreserve -list
    return [log]
}

# Waits until it has said so; a pattern.
proc reserve::await_log {pattern} {
    support::wait_until {[lsearch -glob [log] $pattern] >= 0}
}

# Has it read its files again: returns when that is done.
proc reserve::reload {} {
    set before [llength [lsearch -all -glob [log] "reads *"]]
    signal HUP
    support::wait_until {[llength [lsearch -all -glob [log] "reads *"]] > $before}
}

# The descriptors of a process, {fd target} in the order of their numbers.
proc reserve::descriptors {pid} {
    set found {}
    foreach path [lsort -dictionary [glob -nocomplain /proc/$pid/fd/*]] {
        if {![catch {::file readlink $path} target]} {
            lappend found [::list [::file tail $path] $target]
        }
    }
    return $found
}

# ------------------------------------------------------------------ clients --

proc reserve::portreserve {args} {
    variable before
    return [run {*}$before $::env(PA_PORTRESERVE) -socket [path run socket] {*}$args]
}

# Words before the program: those of `as_user`, perhaps.
proc reserve::portrelease_by {words args} {
    variable before
    return [run {*}$before {*}$words $::env(PA_PORTRELEASE) -socket [path run socket] {*}$args]
}

proc reserve::portrelease {args} {
    return [portrelease_by {} {*}$args]
}

# The status alone, and what it complained of.
proc reserve::release {args} {
    lassign [portrelease_by {} {*}$args] status out err
    return [::list $status $err]
}

# Starts a command with the ports of a name, and leaves it alone: a channel from which its
# output comes, and to which its input goes.
proc reserve::take {name args} {
    variable before
    return [command {*}$before $::env(PA_PORTRELEASE) -socket [path run socket] \
        -exec $name -- {*}$args]
}

# A command that is left alone; its standard error output comes with the other.
proc reserve::command {args} {
    variable commands
    set channel [open |[::list {*}$args 2>@1] r+]
    fconfigure $channel -blocking 0 -buffering line
    lappend commands $channel
    return $channel
}

# Closes the input of a command and waits for its end: {status rest-of-its-output}.
proc reserve::finished {channel} {
    variable commands
    set commands [lsearch -all -inline -not -exact $commands $channel]
    catch {close $channel write}
    set text [raw::rest $channel]
    fconfigure $channel -blocking 1
    set status 0
    if {[catch {close $channel} - options]} {
        set status [lindex [dict get $options -errorcode] 2]
    }
    return [::list $status $text]
}

# The rows of -list, {port protocol family client state pid program}.
proc reserve::rows {} {
    lassign [portreserve -list -json] status text err
    if {$status != 0} {
        error "-list failed: $err"
    }
    set keys {port protocol family client state pid program}
    return [lmap object [regexp -all -inline {\{[^\}]*\}} $text] {
        lmap key $keys {
            regexp "\"$key\":(?:\"(\[^\"\]*)\"|(\[^,\}\]*))" $object - string bare
            string cat $string $bare
        }
    }]
}

# {PORT/PROTOCOL STATE ...} of them.
proc reserve::states {} {
    set states {}
    foreach row [rows] {
        lassign $row port protocol - - state
        lappend states $port/$protocol $state
    }
    return $states
}

# The inode of each port's hold, {PORT/PROTOCOL INODE ...}, as the daemon itself tells; 0 is none.
proc reserve::holds {} {
    set strings [lrange [split [peer ask [path run socket.stream] list {}] \0] 2 end-1]
    set holds {}
    foreach {port protocol - - - inode} $strings {
        lappend holds $port/$protocol $inode
    }
    return $holds
}

# The processes, not started by `start`, that were given this test's folder and still run.
proc reserve::stray {} {
    return [lmap file [glob -nocomplain /proc/\[0-9\]*/cmdline] {
        if {[catch {manager::read_file $file} words] || ![string match "*[path]/*" $words]} continue
        lindex [::file split $file] 2
    }]
}

# Ends what runs; an error if a daemon is left, had not removed what it made, or said what
# nobody but a sanitizer says.
proc reserve::end {} {
    variable daemons
    variable commands
    variable before
    peer::end
    foreach channel $commands {
        catch {exec kill -KILL {*}[::pid $channel]}
        finished $channel
    }
    set troubles {}
    dict for {pid channel} $daemons {
        set status [expr {[support::runs $pid] ? [stop $pid] : [wait $pid]}]
        if {$status ne "0"} {
            lappend troubles "the daemon ended with $status"
        }
    }
    if {[running]} {
        set pid [pid]
        signal TERM
        support::wait_until {![support::runs $pid]} 20000
    }
    # What is ending has time to do so.
    catch {support::wait_until {[stray] eq {}} 2000}
    foreach pid [stray] {
        lappend troubles "left running: $pid"
        catch {exec kill -KILL $pid}
    }
    set left [lsearch -all -inline -not -exact \
        [glob -nocomplain -tails -directory [path] *] etc]
    lappend left {*}[glob -nocomplain -tails -directory [path] run/*]
    set log [manager::read_file [path log]]
    ::file delete -force [path]
    set before {}
    foreach name $left {
        if {$name ni {run log out}} {
            lappend troubles "left: $name"
        }
    }
    if {[regexp {Sanitizer|runtime error} $log]} {
        lappend troubles $log
    }
    if {$troubles ne {}} {
        error [join $troubles \n]
    }
}

# --------------------------------------------------------------------- peer --

namespace eval peer {
    variable channel {}
    variable before {}
    variable script {
import array, base64, errno, os, socket, struct, sys, time
sockets = {}
TYPES = {"tcp": socket.SOCK_STREAM, "udp": socket.SOCK_DGRAM}

def attempt(f):
    try: return f()
    except OSError as e: return errno.errorcode[e.errno]

# Binds a port of all addresses, or of one: "ok", or the error's name.
def bind(kind, port, reuse=False, address="0.0.0.0", listen=True):
    s = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, TYPES[kind])
    if reuse: s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        s.bind((address, port))
        if kind == "tcp" and listen: s.listen()
    except OSError as e:
        s.close()
        return errno.errorcode[e.errno]
    sockets[kind, port, address] = s
    return "ok"

def close(kind, port, address="0.0.0.0"):
    sockets.pop((kind, port, address)).close()

# Whether a port can be bound strictly, as by a service that knows no SO_REUSEADDR.
def free(kind, port, address="0.0.0.0"):
    if bind(kind, port, False, address) != "ok": return 0
    close(kind, port, address)
    return 1

def connect(port, address="127.0.0.1"):
    try: socket.create_connection((address, port), 10).close()
    except OSError as e: return errno.errorcode[e.errno]
    return "ok"

# A datagram of the original protocol.
def datagram(path, *payloads):
    s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    result = "ok"
    for payload in payloads:
        try: s.sendto(payload, path)
        except OSError as e: result = errno.errorcode[e.errno]
    s.close()
    return result

# A conversation with the stream socket: everything that is answered.
def talk(path, request, half_close=False):
    s = socket.socket(socket.AF_UNIX)
    s.settimeout(60)
    s.connect(path)
    answer = b""
    try:
        s.sendall(request)
        if half_close: s.shutdown(socket.SHUT_WR)
        while True:
            part = s.recv(65536)
            if not part: break
            answer += part
    except (BrokenPipeError, ConnectionResetError): pass
    s.close()
    return answer.decode("utf-8", "replace")

for line in sys.stdin:
    code = base64.b64decode(line).decode()
    try:
        try: result = eval(code)
        except SyntaxError: result = exec(code)
        result = "+" + str(result)
    except Exception as e: result = "-" + repr(e)
    print(base64.b64encode(result.encode()).decode(), flush=True)
}
    namespace export do bind close free connect datagram talk ask through end process
    namespace ensemble create
}

# Words that stand before the Python when it is started next, until `end`.
proc peer::through {args} {
    variable before
    stop
    set before $args
}

# Its result of a piece of Python: of an expression, or None.
proc peer::do {code} {
    variable channel
    variable before
    variable script
    if {$channel eq {}} {
        set guard [expr {[testConstraint setpriv] ? {setpriv --pdeathsig KILL} : {}}]
        set channel [open |[list {*}$before {*}$guard $::python -c $script 2>@stderr] r+]
        fconfigure $channel -blocking 0 -buffering line
    }
    puts $channel [binary encode base64 [encoding convertto utf-8 $code]]
    set line [string trim [raw::line $channel]]
    set result [encoding convertfrom utf-8 [binary decode base64 $line]]
    if {[string index $result 0] ne "+"} {
        error "the peer: $result"
    }
    return [string range $result 1 end]
}

# Its process number.
proc peer::process {} {
    variable channel
    do 0
    return [::pid $channel]
}

# A string of Python.
proc peer::quoted {text} {
    return "\"[join [lmap c [split $text {}] {format \\U%08x [scan $c %c]}] {}]\""
}

# Binds a port: ok, or the error. Options are Python's: reuse=True, address="::1", listen=False.
proc peer::bind {protocol port args} {
    return [do "bind([join [list [quoted $protocol] $port {*}$args] ,])"]
}
proc peer::close {protocol port args} {
    do "close([join [list [quoted $protocol] $port {*}$args] ,])"
}
proc peer::free {protocol port args} {
    return [do "free([join [list [quoted $protocol] $port {*}$args] ,])"]
}
proc peer::connect {port args} {
    return [do "connect([join [list $port {*}$args] ,])"]
}
# Bytes are given as the characters of a string.
proc peer::datagram {path args} {
    return [do "datagram([join [list [quoted $path] {*}[lmap bytes $args {
        string cat [quoted $bytes] {.encode("latin-1")}}]] ,])"]
}
proc peer::talk {path bytes args} {
    return [do "talk([join [list [quoted $path] "[quoted $bytes].encode('latin-1')" \
        {*}$args] ,])"]
}
# A request in good order.
proc peer::ask {path verb name} {
    return [talk $path $verb\0$name\0]
}

proc peer::stop {} {
    variable channel
    if {$channel ne {}} {
        catch {exec kill -KILL {*}[::pid $channel]}
        fconfigure $channel -blocking 1
        catch {::close $channel}
        set channel {}
    }
}

proc peer::end {} {
    variable before
    stop
    set before {}
}

# -------------------------------------------------------------------- tests --

# A test with a folder of its own. Constraints that are given are added.
proc check {name what args} {
    set needed {portreserve portrelease python3}
    if {[dict exists $args -constraints]} {
        lappend needed {*}[dict get $args -constraints]
    }
    set setup "reserve begin\n"
    if {[dict exists $args -setup]} {
        append setup [dict get $args -setup]
    }
    set cleanup "reserve end"
    if {[dict exists $args -cleanup]} {
        set cleanup "try {[dict get $args -cleanup]} finally {reserve end}"
    }
    uplevel 1 [list test $name $what {*}[dict merge $args \
        [dict create -constraints $needed -setup $setup -cleanup $cleanup]]]
}
