import RPC

/// `user.UserService`: people and their tokens. Also answers as `auth.Auth`.
public enum UserMethods {
    public static let service = "user.UserService"
    public static let alias = "auth.Auth"

    public static let create = Method<User_User, User_Response>(service: service, name: "Create")
    public static let get = Method<User_User, User_Response>(service: service, name: "Get", isIdempotent: true)
    public static let getAll = Method<User_Request, User_Response>(
        service: service, name: "GetAll", isIdempotent: true)
    public static let auth = Method<User_User, User_Token>(service: service, name: "Auth", isIdempotent: true)
    public static let validateToken = Method<User_Token, User_Token>(
        service: service, name: "ValidateToken", isIdempotent: true)
}
