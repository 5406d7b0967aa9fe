"""dumpsys of the simulated handset: the services a harness reads, in the shapes AOSP prints."""

from __future__ import annotations

from collections.abc import Callable

from devices.simulated.android_shell import Call, ShellCommand
from devices.simulated.android_system import AndroidSystem
from devices.simulated.baseband import Registration
from devices.simulated.messaging_app import PACKAGE
from devices.simulated.shell_system import APP_PID, APP_VERSION

_IN_SERVICE, _OUT_OF_SERVICE, _POWER_OFF = "0(IN_SERVICE)", "1(OUT_OF_SERVICE)", "3(POWER_OFF)"
_REGISTRATION = {
    Registration.NOT_SEARCHING: "NOT_REG_OR_SEARCHING",
    Registration.HOME: "HOME",
    Registration.SEARCHING: "NOT_REG_SEARCHING",
    Registration.DENIED: "DENIED",
    Registration.UNKNOWN: "UNKNOWN",
    Registration.ROAMING: "ROAMING",
}


def _telephony(android: AndroidSystem, words: list[str]) -> str:
    baseband = android.baseband
    cell = baseband.cell if baseband.registered else None
    state = _POWER_OFF if baseband.airplane else _IN_SERVICE if cell else _OUT_OF_SERVICE
    operator = android.operator if cell else "null"
    identity = "null"
    if cell:
        identity = (
            f"CellIdentityLte:{{ mCi={cell.eci} mPci=1 mTac={cell.tac} mEarfcn=3150 mBands=[7]"
            f" mBandwidth=20000 mMcc={cell.mcc} mMnc={cell.mnc}"
            f" mAlphaLong={operator} mAlphaShort={operator}}}"
        )
    technology = "LTE" if cell else "UNKNOWN"
    number = "14(LTE)" if cell else "0(Unknown)"
    rsrp = round(cell.power_dbm) if cell else 2147483647
    registered = (
        "NetworkRegistrationInfo{ domain=PS transportType=WWAN"
        f" registrationState={_REGISTRATION[baseband.registration]}"
        f" roamingType={'ROAMING' if baseband.roaming else 'NOT_ROAMING'}"
        f" accessNetworkTechnology={technology}"
        f" rejectCause={baseband.reject_cause or 0} emergencyEnabled=false cellIdentity={identity}}}"
    )
    lines = [
        "last known state:",
        "  Phone Id=0",
        "    mCallState=0",
        "    mRingingCallState=0",
        "    mForegroundCallState=0",
        "    mCallIncomingNumber=",
        f"    mServiceState={{mVoiceRegState={state}, mDataRegState={state},"
        f" mChannelNumber={3150 if cell else -1}, duplexMode()=1,"
        f" mCellBandwidths=[{20000 if cell else ''}], mOperatorAlphaLong={operator},"
        f" mOperatorAlphaShort={operator}, isManualNetworkSelection=false(automatic),"
        f" getRilVoiceRadioTechnology={number}, getRilDataRadioTechnology={number}, mIsEmergencyOnly=false,"
        f" mNetworkRegistrationInfos=[{registered}], mOperatorAlphaLongRaw={operator}}}",
        f"    mSignalStrength=SignalStrength:{{mCdma=Invalid,mGsm=Invalid,mWcdma=Invalid,mTdscdma=Invalid,"
        f"mLte=CellSignalStrengthLte: rssi=-51 rsrp={rsrp} rsrq=-10 rssnr=30 cqiTableIndex=1 cqi=15 ta=0"
        f" level={android.signal_level() or 0} parametersUseForLevel=0,"
        "mNr=Invalid,primary=CellSignalStrengthLte}",
        f"    mDataConnectionState={2 if baseband.pdn else 0}",
        "local logs:",
    ]
    return "\n".join(lines)


def _activity(android: AndroidSystem, words: list[str]) -> str:
    focus = android.focus()
    record = f"ActivityRecord{{5a3f1c2 u0 {focus} t12}}"
    return (
        "ACTIVITY MANAGER ACTIVITIES (dumpsys activity activities)\n"
        "Display #0 (activities from top to bottom):\n"
        f"  topResumedActivity={record}\n"
        f"  ResumedActivity: {record}"
    )


def _window(android: AndroidSystem, words: list[str]) -> str:
    if words[:1] == ["policy"]:
        return _policy(android)
    focus = android.focus()
    metrics, locked = android.metrics, str(android.locked).lower()
    return (
        "WINDOW MANAGER WINDOWS (dumpsys window windows)\n"
        f"  mCurrentFocus=Window{{41b3757 u0 {focus}}}\n"
        f"  mFocusedApp=ActivityRecord{{5a3f1c2 u0 {focus} t12}}\n"
        f"  mAwake={str(android.awake).lower()}\n"
        f"  mDreamingLockscreen={locked} mShowingLockscreen={locked}\n"
        f"  init={metrics.width}x{metrics.height} 210dpi cur={metrics.width}x{metrics.height}"
    )


def _policy(android: AndroidSystem) -> str:
    lit = "ON" if android.awake else "OFF"
    return (
        "WINDOW MANAGER POLICY STATE (dumpsys window policy)\n"
        f"    mSafeMode=false mSystemReady=true mSystemBooted=true\n"
        f"    mAwake={str(android.awake).lower()} mScreenOnEarly={str(android.awake).lower()}\n"
        "    KeyguardServiceDelegate\n"
        f"      showing={str(android.locked).lower()}\n"
        f"      inputRestricted={str(android.locked).lower()}\n"
        "      occluded=false\n"
        f"      secure={str(bool(android.pin)).lower()}\n"
        "      dreaming=false\n      systemIsReady=true\n      deviceHasKeyguard=true\n      enabled=true\n"
        f"      currentUser=0\n      bootCompleted=true\n      screenState=SCREEN_STATE_{lit}"
    )


def _notification(android: AndroidSystem, words: list[str]) -> str:
    noredact = "--noredact" in words
    lines = ["Current Notification Manager state:", "  Notification List:"]
    for item in android.app.notifications.values():
        lines += [
            f"    NotificationRecord(0x0{item.id:07x}: pkg={PACKAGE} user=UserHandle{{0}} id={item.id}"
            f" tag=bugle:conversation importance=4 key=0|{PACKAGE}|{item.id}|null|10123:"
            f" Notification(channel=bugle_default category=msg actions=2 vis=PRIVATE))",
            "      extras={",
            f"        android.title=String ({_told(item.title, noredact)})",
            f"        android.text=String ({_told(item.text, noredact)})",
            "      }",
        ]
    return "\n".join(lines)


def _told(text: str, noredact: bool) -> str:
    return text if noredact else f"[length={len(text)}]"


def _power(android: AndroidSystem, words: list[str]) -> str:
    state = "Awake" if android.awake else "Asleep"
    return (
        "POWER MANAGER (dumpsys power)\n\nPower Manager State:\n"
        f"  mWakefulness={state}\n  mWakefulnessChanging=false\n  mIsPowered=true\n"
        "  mPlugType=2\n  mBatteryLevel=87"
    )


def _package(android: AndroidSystem, words: list[str]) -> str:
    name = words[0] if words else ""
    if name not in android.packages:
        return f"Unable to find package: {name}"
    version = APP_VERSION if name == PACKAGE else android.properties.get("ro.build.version.release")
    return (
        f"Packages:\n  Package [{name}] (b2c1d0e):\n    userId=10123\n"
        f"    codePath={android.packages[name].rpartition('/')[0]}\n"
        f"    versionCode=247350063 minSdk=26 targetSdk=34\n    versionName={version}"
    )


def _battery(android: AndroidSystem, words: list[str]) -> str:
    return "Current Battery Service state:\n  AC powered: false\n  USB powered: true\n  level: 87"


def _carrier(android: AndroidSystem, words: list[str]) -> str:
    return "Phone Id = 0\ncarrier_volte_available_bool = true\nims.is_gruu_enabled_bool = true"


SERVICES: dict[str, Callable[[AndroidSystem, list[str]], str]] = {
    "telephony.registry": _telephony,
    "activity": _activity,
    "window": _window,
    "notification": _notification,
    "power": _power,
    "package": _package,
    "battery": _battery,
    "carrier_config": _carrier,
}


async def _dumpsys(call: Call) -> int:
    if len(call.args) < 2 or call.args[1] == "-l":
        await call.say("Currently running services:\n" + "\n".join(f"  {name}" for name in sorted(SERVICES)))
        return 0
    service = SERVICES.get(call.args[1])
    if service is None:
        return await call.complain(f"Can't find service: {call.args[1]}", 0)
    await call.say(service(call.android, call.args[2:]))
    return 0


async def _ps(call: Call) -> int:
    await call.say("USER           PID  PPID     VSZ    RSS WCHAN            ADDR S NAME")
    if call.android.app.running:
        await call.say(f"u0_a123       {APP_PID}   712 1734212 214312 0                   0 S {PACKAGE}")
    await call.say("shell         9100  9001   10764   3212 0                   0 R ps")
    return 0


COMMANDS: dict[str, ShellCommand] = {"dumpsys": _dumpsys, "ps": _ps}
