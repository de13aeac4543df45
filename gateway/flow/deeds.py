"""Every act the log knows, as `source:subject:action`, with its names for people.

A closed list: `log.note` refuses any other, so that whoever reads the log reads of each line what
was done, and whoever adds an act says so here. Who did it, from where, to what and how it ended is
the line's.
"""

from recordings.errors import AuditError

ACTS: dict[str, tuple[str, str]] = {
    # people
    "people:session:open": ("登录", "Sign in"),
    "people:session:close": ("退出", "Sign out"),
    "people:account:add": ("添加账号", "Add an account"),
    "people:account:close": ("停用账号", "Close an account"),
    "people:account:password": ("重设密码", "Set a password"),
    "people:account:phone": ("登记分机", "Set a phone"),
    "people:account:lock": ("锁定账号", "An account is locked"),
    "people:department:add": ("添加部门", "Add a department"),
    # recordings
    "recordings:request:ask": ("申请调听", "Ask to hear"),
    "recordings:request:decide": ("决定申请", "Decide a request"),
    "recordings:player:open": ("打开播放器", "Open the player"),
    "recordings:play:begin": ("开始一次收听", "Begin a play"),
    "recordings:recording:play": ("播放录音", "Play a recording"),
    "recordings:recording:outline": ("查看波形", "See the waveform"),
    "recordings:recording:heard": ("听到的部分", "What was heard"),
    "recordings:recording:search": ("查找录音", "Look for recordings"),
    "recordings:export:make": ("导出录音", "Export a recording"),
    "recordings:export:fetch": ("取走导出文件", "Fetch an export"),
    "recordings:glass:break": ("紧急调听", "Break-glass"),
    "recordings:grant:end": ("终止授权", "End a grant"),
    "recordings:recording:compare": ("核对录音", "Compare recordings"),
    "recordings:backup:make": ("备份录音", "Back up recordings"),
    "recordings:backup:drill": ("演练还原", "A restore drill"),
    "recordings:backup:restore": ("从备份放回录音", "Put recordings back from a backup"),
    "recordings:page:open": ("打开录音页面", "Open a page of recordings"),
    "recordings:recording:seal": ("封存录音", "Seal a recording"),
    "recordings:recording:rewrap": ("换钥封存", "Seal a recording to another key"),
    # tickets
    "tickets:recusal:name": ("指定回避", "Name who is recused"),
    "tickets:recusal:lift": ("解除回避", "Lift a recusal"),
    "tickets:ticket:join": ("并单", "Join tickets"),
    "tickets:ticket:handle": ("应回避而未回避", "Handling a matter about oneself, refused"),
    "tickets:page:open": ("越权的回避操作", "An act of recusal refused"),
    # keeping and destroying
    "retention:page:open": ("越权打开保存页面", "A page of keeping refused"),
    "retention:hold:place": ("下保留令", "Place a hold"),
    "retention:hold:lift": ("解除保留", "Lift a hold"),
    "retention:plan:propose": ("提出销毁计划", "A plan to destroy is made"),
    "retention:plan:stand": ("销毁计划满七天", "A plan has stood for seven days"),
    "retention:plan:void": ("销毁计划作废", "A plan is void"),
    "retention:plan:ask": ("提请销毁", "The first person asks to destroy"),
    "retention:plan:confirm": ("确认销毁", "The second person confirms"),
    "retention:key:begin": ("开始销毁", "Destruction begins"),
    "retention:key:destroy": ("销毁密钥", "Destroy a month's key"),
    "retention:recording:destroy": ("销毁录音", "Destroy a recording"),
    "retention:plan:certify": ("出具销毁证明", "Certify what was destroyed"),
    # keys
    "keys:pair:make": ("生成密钥对", "Make a pair of keys"),
    "keys:pair:check": ("发现密钥异常", "Trouble with a pair of keys"),
    "keys:export:ask": ("申请导出私钥", "Ask to export a private key"),
    "keys:destroy:ask": ("申请销毁私钥", "Ask to destroy a private key"),
    "keys:act:confirm": ("第二人确认", "The second custodian confirms"),
    "keys:key:export": ("导出私钥", "Export a private key"),
    "keys:key:destroy": ("开始销毁私钥", "Begin to destroy a private key"),
    "keys:key:destroyed": ("私钥已销毁", "A private key is destroyed"),
    "keys:keyring:enclose": ("明文私钥收进钥匙环", "Move plain keys into the keyring"),
    "keys:keyring:passphrase": ("更换钥匙环口令", "Change the keyring's passphrase"),
    "keys:copy:attest": ("确认副本已毁", "A copy's end is attested"),
    # control
    "control:call:place": ("呼出", "Place a call"),
    "control:recording:pause": ("暂停录音", "Pause a recording"),
    "control:recording:resume": ("继续录音", "Resume a recording"),
    "control:agent:pause": ("坐席示忙", "Pause an agent"),
    "control:agent:ready": ("坐席示闲", "An agent is ready"),
    "control:page:open": ("越权的控制操作", "A control act refused"),
    # the log itself
    "log:log:read": ("查阅日志", "Read the log"),
    "log:log:verify": ("核验日志", "Verify the log"),
    "log:log:export": ("导出日志", "Export the log"),
    "log:log:restart": ("恢复后另起检查点", "Begin anew after a restore"),
    "log:line:prove": ("出具证明", "Prove a line"),
    "log:checkpoint:sign": ("签署检查点", "Sign a checkpoint"),
    "log:alert:clear": ("告警自行解除", "An alert cleared by itself"),
    "log:alert:see": ("阅毕告警", "An alert was seen"),
    "log:checkpoint:refuse": ("拒签检查点", "A checkpoint was refused"),
    # the house
    "api:request:refuse": ("程序接口被拒", "Refused by the API"),
    "people:department:credentials": ("部门消息账号", "A department's account at the broker"),
    "people:department:mode": ("变更部门方式", "Change how a department works"),
    "people:key:make": ("发放部门密钥", "Give a department's program a key"),
    "people:key:revoke": ("吊销部门密钥", "Revoke the key of a department's program"),
    "queueing:attachment:fetch": ("部门取用附件、表单", "A department fetches a file or form"),
    "queueing:department:test": ("发测试消息", "A test message to a department"),
    "queueing:message:discard": ("作废搁置消息", "Discard a parked message"),
    "queueing:message:replay": ("重发搁置消息", "Replay a parked message"),
    "gateway:process:start": ("启动进程", "A process starts"),
    "gateway:database:upgrade": ("升级数据库", "Upgrade the database"),
}


def check(action: str) -> None:
    """Raise AuditError for an act that is not in the list."""
    if action not in ACTS:
        raise AuditError(
            f"未登记的行为：{action}。 An act that flow.deeds does not list: {action}."
        )
