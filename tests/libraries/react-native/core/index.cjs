// As much of React Native as @segment/analytics-react-native asks for: an iPhone in the foreground.
const contextInfo = {
  appName: 'Shop', appVersion: '2.1', buildNumber: '21', bundleId: 'org.example.shop', locale: 'de-DE', networkType: 'wifi',
  osName: 'iOS', osVersion: '18.1', screenHeight: 852, screenWidth: 393, screenDensity: 3, timezone: 'Europe/Berlin',
  manufacturer: 'Apple', model: 'iPhone16,1', deviceName: 'iPhone', deviceId: 'E1D2C3B4', deviceType: 'ios',
};

module.exports = {
  AppState: { currentState: 'active', addEventListener: () => ({ remove() {} }) },
  NativeEventEmitter: class { addListener() { return { remove() {} }; } },
  NativeModules: {
    AnalyticsReactNative: { getContextInfo: async () => contextInfo },
    Sovran: { addListener() {}, removeListeners() {} },
  },
  Platform: { OS: 'ios', select: (choices) => choices.ios ?? choices.default },
};
