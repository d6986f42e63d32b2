# For interactive bash shells of all users; ~/.bashrc comes after it.
PS1='\u@\h:\w\$ '
shopt -s checkwinsize
alias ls='ls --color=auto' ll='ls -l' grep='grep --color=auto'
alias vim=vi
[ "$EUID" = 0 ] || alias ping='sudo ping' traceroute='sudo traceroute' # raw sockets

# Completion of ros is fetched at the first use: it costs a login nothing.
_ros_completion() {
    eval "$(ros completion bash)"
    return 124 # try again, with what is there now
}
complete -F _ros_completion ros

# What people look for and do not find here, and where it is instead.
command_not_found_handle() {
    local hint
    case $1 in
    systemctl | service) hint='services are listed by `ros service ls`; see `ros --help`' ;;
    journalctl) hint='see `ros logs`, `ros service logs NAME` and /var/log/syslog' ;;
    apt | apt-get | dnf | yum | apk) hint='programs come in containers: docker run' ;;
    man) hint='there are no manual pages; most programs take --help' ;;
    esac
    printf 'bash: %s: command not found%s\n' "$1" "${hint:+: $hint}" >&2
    return 127
}
